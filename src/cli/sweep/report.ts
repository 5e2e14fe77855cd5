import { printable } from "../../core/printable.js";
import { table } from "../console.js";
import { UsageError } from "../usage.js";
import type { SweepSettings } from "./folder.js";
import type { SweepRow } from "./rows.js";

/** Of one number, over the seeds of one choice of values. */
export interface Spread {
  readonly runs: number;
  readonly mean: number;
  /** of the sample, √(Σ (x − mean)² / (n − 1)); `null` for a single run */
  readonly sd: number | null;
  readonly min: number;
  readonly max: number;
}

/** What came of one choice of values. */
export interface SweepGroup {
  readonly values: Readonly<Record<string, string>>;
  readonly done: number;
  readonly failed: number;
  readonly waiting: number;
  readonly measures: Readonly<Record<string, Spread>>;
}

/** What `sweep --json` prints, and `sweep-result.json` holds. */
export interface SweepReport {
  readonly subject: string;
  readonly options: SweepSettings["options"];
  readonly seeds: readonly number[];
  readonly grid: SweepSettings["grid"];
  /** the number that runs are compared by */
  readonly measure: string | null;
  readonly highest: boolean;
  readonly groups: readonly SweepGroup[];
  /** the run whose measure is lowest, or highest where that is asked for */
  readonly best: Pick<SweepRow, "name" | "folder" | "values" | "seed" | "measures"> | null;
  readonly runs: readonly SweepRow[];
  readonly out: string;
}

export interface Judging {
  /** the number to compare by; by default the validation loss, or else the loss */
  readonly by?: string;
  readonly highest?: boolean;
}

/** @throws {UsageError} for a measure that no run has */
export function reportOf(
  { subject, options, seeds, grid }: SweepSettings,
  runs: readonly SweepRow[],
  { by, highest = false }: Judging,
  out: string,
): SweepReport {
  const done = runs.filter(({ status }) => status === "done");
  const names = [...new Set(done.flatMap(({ measures }) => Object.keys(measures)))];
  if (by !== undefined && done.length > 0 && !names.includes(by)) {
    throw new UsageError(
      `No run of this sweep has the number "${by}". Give --by one of: ${names.join(", ")}.`,
    );
  }
  const measure = by ?? names[0] ?? null;
  const judged = done.filter(({ measures }) => measure !== null && measures[measure] !== undefined);
  const better = (a: SweepRow, b: SweepRow) => b.measures[measure!]! < a.measures[measure!]! !== highest;
  const best = judged.reduce<SweepRow | null>(
    (one, other) =>
      one === null || (other.measures[measure!] !== one.measures[measure!] && better(one, other))
        ? other
        : one,
    null,
  );
  return {
    ...{ subject, options, seeds, grid, measure, highest },
    groups: groupsOf(runs, names),
    best: best && {
      ...{
        name: best.name,
        folder: best.folder,
        values: best.values,
        seed: best.seed,
        measures: best.measures,
      },
    },
    ...{ runs, out },
  };
}

function groupsOf(runs: readonly SweepRow[], names: readonly string[]): SweepGroup[] {
  return [...grouped(runs, ({ values }) => JSON.stringify(values)).values()].map((rows) => {
    const done = rows.filter(({ status }) => status === "done");
    const spreads = names.flatMap((name) => {
      const seen = done.map(({ measures }) => measures[name]).filter((value) => value !== undefined);
      return seen.length === 0 ? [] : [[name, spreadOf(seen)] as const];
    });
    return {
      values: rows[0]!.values,
      done: done.length,
      failed: rows.filter(({ status }) => status === "failed").length,
      waiting: rows.filter(({ status }) => status === "waiting").length,
      measures: Object.fromEntries(spreads),
    };
  });
}

function grouped<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

/** Mean and deviation of a sample. */
export function spreadOf(values: readonly number[]): Spread {
  const runs = values.length;
  const mean = values.reduce((sum, value) => sum + value / runs, 0);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    ...{ runs, mean, sd: runs < 2 ? null : Math.sqrt(squares / (runs - 1)) },
    ...{ min: Math.min(...values), max: Math.max(...values) },
  };
}

/** A mean and its deviation as people write them: 0.0123 ± 0.0004. */
export function showSpread({ mean, sd }: Spread, digits = 4): string {
  const short = (value: number, to: number) => String(Number(value.toPrecision(to)));
  if (sd === null) return short(mean, digits);
  // of equal numbers, what their sum was rounded by
  return `${short(mean, digits)} ± ${sd < 1e-12 * Math.abs(mean) ? 0 : short(sd, 2)}`;
}

/** Numbers that are shown beside the one that runs are compared by. */
const mostMeasures = 4;

/** What people read at the end. */
export function summary({ groups, runs, measure, best, grid, out }: SweepReport): string {
  const names = [...new Set(groups.flatMap(({ measures }) => Object.keys(measures)))];
  const shown = [measure!, ...names.filter((name) => name !== measure)].slice(0, 1 + mostMeasures);
  const head = [...grid.map(({ option }) => option), "runs", ...(measure === null ? [] : shown)];
  const rows = groups.map(({ values, done, failed, waiting, measures }) => [
    ...grid.map(({ option }) => printable(values[option]!)),
    failed + waiting === 0 ? String(done) : `${done} of ${done + failed + waiting}`,
    ...(measure === null
      ? []
      : shown.map((name) => (measures[name] === undefined ? "–" : showSpread(measures[name]!)))),
  ]);
  const failed = runs.filter(({ status }) => status === "failed");
  const doubtful = runs.filter(({ warnings }) => warnings.length > 0);
  const lines = [
    table([head, ...rows]),
    "Each is the mean over seeds ± the standard deviation between them.",
  ];
  if (best !== null) {
    lines.push(
      `Best by ${measure}: ${Number(best.measures[measure!]!.toPrecision(6))}, ${printable(best.folder)}`,
    );
  }
  for (const { name, reason } of failed) lines.push(`Failed: ${printable(name)}: ${printable(reason!)}`);
  if (doubtful.length > 0) {
    lines.push(
      `${doubtful.length} of ${runs.length} runs warn; the first: ${printable(doubtful[0]!.name)}: ` +
        printable(doubtful[0]!.warnings[0]!),
    );
  }
  lines.push(`Written to ${printable(out)}`);
  return lines.join("\n");
}

/** One line for each run, as CSV. */
export function csvOf({ runs, grid }: SweepReport): string {
  const names = [...new Set(runs.flatMap(({ measures }) => Object.keys(measures)))];
  const cell = (value: unknown) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const head = [
    ...grid.map(({ option }) => option),
    "seed",
    "status",
    ...names,
    "updates",
    "seconds",
    "run",
    "reason",
  ];
  const rows = runs.map(({ values, seed, status, measures, steps, seconds, name, reason }) => [
    ...grid.map(({ option }) => values[option]),
    ...[seed, status, ...names.map((measure) => measures[measure]), steps, seconds, name, reason],
  ]);
  return `${[head, ...rows].map((row) => row.map(cell).join(",")).join("\n")}\n`;
}
