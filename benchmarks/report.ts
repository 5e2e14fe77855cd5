/**
 * Rewrites what documents say of speed, from the results of the benchmarks: between the markers in README.md,
 * docs/numbers.md and benchmarks/README.md; and draws their plots.
 *
 *   npx tsx benchmarks/report.ts
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { writeAtomic } from "../src/storage/atomic.js";
import { benchmarksSection, numbersSection, readmeSection } from "./report/documents.js";
import { withBenchmarks } from "./report/markdown.js";
import { savePlots } from "./report/plots.js";
import { readResults } from "./results.js";

const root = join(import.meta.dirname, "..");

/** The documents that are made in part from results, by file, as they should be. */
export function reportedDocuments(): ReadonlyMap<string, string> {
  const results = readResults();
  const made: Readonly<Record<string, string>> = {
    "README.md": readmeSection(results),
    "docs/numbers.md": numbersSection(results),
    "benchmarks/README.md": benchmarksSection(results),
  };
  return new Map(
    Object.entries(made).map(([file, body]) => [
      file,
      withBenchmarks(readFileSync(join(root, file), "utf8"), body),
    ]),
  );
}

export async function writeReports(): Promise<void> {
  await savePlots(readResults());
  for (const [file, text] of reportedDocuments()) await writeAtomic(join(root, file), text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await writeReports();
