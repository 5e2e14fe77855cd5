import { parseArgs } from "node:util";
import { table } from "./measure.js";
import { savePlots } from "./report/plots.js";
import { type Result, showMeasured, showWanted, type Target } from "./result.js";
import { readResults, saveResult } from "./results.js";

/** What every benchmark takes besides its own options. */
export interface CommonOptions {
  /** JSON alone on standard output */
  readonly json: boolean;
  /** writes results/NAME.json, and the plot */
  readonly save: boolean;
}

/** The options of a benchmark: its own with what they are unless given, all of them text, and the common ones. */
export function readOptions<Own extends Record<string, string>>(own: Own): Own & CommonOptions {
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(
        Object.entries(own).map(([name, value]) => [name, { type: "string", default: value } as const]),
      ),
      json: { type: "boolean", default: false },
      save: { type: "boolean", default: false },
    },
  });
  return values as Own & CommonOptions;
}

/** Says how far a benchmark has come, where it does not get between the numbers. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Ends a benchmark: prints what it found, and keeps it if it is to be kept. */
export async function conclude(
  result: Result,
  { json, save }: CommonOptions,
  { text }: { readonly text: string },
): Promise<void> {
  if (json) console.log(JSON.stringify(result, null, 2));
  else console.log([text, ...result.failures, targetsTable(result.targets)].filter(Boolean).join("\n\n"));
  if (!save) return;
  await saveResult(result);
  await savePlots(readResults());
  say(`Written to benchmarks/results/${result.benchmark}.json`);
}

/** Ends a benchmark that cannot run here; what an earlier one has found stays where it is. */
export function skip(benchmark: string, reason: string, { json }: CommonOptions): void {
  if (json) console.log(JSON.stringify({ benchmark, skipped: reason }));
  else console.log(`Skipped. ${reason}`);
}

/** Targets, one in a line; "" if there are none. */
export function targetsTable(targets: readonly Target[]): string {
  if (targets.length === 0) return "";
  return table(
    ["target", "wanted", "measured", "met"],
    targets.map((one) => [one.what, showWanted(one), showMeasured(one), showMet(one)]),
  );
}

export function showMet({ met }: Target): string {
  return met === null ? "–" : met ? "yes" : "no";
}
