import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import { entryOf } from "./entries.js";

// What a sweep found of an experiment, short enough to be kept with the documentation.

export const recordSchema = z.strictObject({
  experiment: z.string(),
  /** names of the files given with --data */
  data: z.array(z.string()),
  /** what was given beside them, as a command line has it */
  options: z.string(),
  seeds: z.array(z.number().int()).min(1),
  date: z.iso.date(),
  machine: z.string(),
  revort: z.string(),
  updates: z.number().int(),
  /** of the updates of each seed, beside whatever else the machine did */
  seconds: z.array(z.number()),
  /** of the updates of one run that had the machine to itself */
  alone: z
    .strictObject({ seconds: z.number(), threads: z.number().int(), machine: z.string(), date: z.iso.date() })
    .optional(),
  /** runs that warned of their result */
  warned: z.number().int(),
  /** numbers of `result.json` by their path, one for each seed */
  measures: z.record(z.string(), z.array(z.number())),
});
export type ExperimentRecord = z.infer<typeof recordSchema>;

/** The number at a path of a result, such as "test.metrics.accuracy". @throws {Error} where there is none */
function numberAt(result: unknown, path: string): number {
  const found = path
    .split(".")
    .reduce((value, key) => (value as Record<string, unknown> | undefined)?.[key], result);
  if (typeof found === "number") return Number(found.toPrecision(6));
  throw new Error(`A result has no number "${path}".`);
}

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));

const here = () => ({
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus()[0]!.model.trim()}, ${cpus().length} cores`,
});

/** Which experiment the folder of a run is of. */
export function experimentOf(folder: string): Pick<ExperimentRecord, "experiment" | "data"> {
  const { experiment } = json(folder, "result.json");
  const data = readdirSync(folder).filter((name) => name.startsWith("data-"));
  return { experiment, data: data.map((name) => name.slice("data-".length)) };
}

/** What a run in a folder took by itself. */
export function aloneOf(folder: string): NonNullable<ExperimentRecord["alone"]> {
  const { seconds, ran } = json(folder, "result.json");
  return { seconds: Number(seconds.toPrecision(3)), threads: ran?.threads ?? 1, ...here() };
}

/** The chart of a run that shows what was learnt: the first beside that of its losses, or that, where there is no other. */
export function pictureOf(folder: string): string {
  const charts = readdirSync(folder).filter((name) => name.endsWith(".svg"));
  const [first] = [...charts.filter((name) => name !== "losses.svg").sort(), "losses.svg"];
  return join(folder, first!);
}

/** What the runs in the folder of a sweep have come to, in the numbers that are shown of it. */
export function recordOf(folder: string): ExperimentRecord {
  const { subject, options, seeds, runs } = json(folder, "sweep-result.json");
  const waiting = runs.filter((run: { status: string }) => run.status !== "done");
  if (waiting.length > 0) throw new Error(`${folder}: ${waiting.length} of its runs have no result.`);
  const { data: given = "", ...other } = options as Record<string, string>;
  const data = given === "" ? [] : given.split(",").map((path) => basename(path));
  const results: { steps: number; seconds: number }[] = runs.map((run: { name: string }) =>
    json(folder, run.name, "result.json"),
  );
  const { shown } = entryOf({ experiment: subject, data });
  const words = Object.entries(other).map(
    ([name, value]) => `--${name}${typeof value === "string" ? ` ${value}` : ""}`,
  );
  return recordSchema.parse({
    ...{ experiment: subject, data, options: words.join(" "), seeds },
    ...here(),
    revort: json(folder, "sweep.json").revort,
    updates: results[0]!.steps,
    seconds: results.map(({ seconds }) => Number(seconds.toPrecision(3))),
    warned: runs.filter((run: { warnings: unknown[] }) => run.warnings.length > 0).length,
    measures: Object.fromEntries(shown.map(({ at }) => [at, results.map((result) => numberAt(result, at))])),
  });
}
