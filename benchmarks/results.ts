import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomic } from "../src/storage/atomic.js";
import { type Result, resultSchema } from "./result.js";

/** Where results lie: one JSON file for each benchmark, and a plot where it says more than a table. */
export const resultsFolder = join(import.meta.dirname, "results");

/** Writes a result. @throws {z.ZodError} for a result that is none */
export async function saveResult(result: Result): Promise<void> {
  mkdirSync(resultsFolder, { recursive: true });
  const text = `${JSON.stringify(resultSchema.parse(result), null, 2)}\n`;
  await writeAtomic(join(resultsFolder, `${result.benchmark}.json`), text);
}

/** All results that there are, by the names of their benchmarks. @throws {z.ZodError} */
export function readResults(folder = resultsFolder): ReadonlyMap<string, Result> {
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  const results = files.map((file) =>
    resultSchema.parse(JSON.parse(readFileSync(join(folder, file), "utf8"))),
  );
  return new Map(results.map((result) => [result.benchmark, result]));
}
