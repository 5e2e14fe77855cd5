import { printable, printableJson } from "../../core/printable.js";
import { type Chart, renderChart } from "../../plot/chart.js";
import { writeAtomic } from "../../storage/atomic.js";
import { type Console, table } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { readRunText, runFiles } from "../run-files.js";
import { checkHoldsRun, RunFolderError } from "../run-folder.js";
import { runKind } from "../run-kind.js";
import { holdsSweep, openSweep, runsOf } from "../sweep/folder.js";
import { measuresOf, type RunResult, resultOf } from "../sweep/rows.js";
import { UsageError } from "../usage.js";

export interface CompareCommandOptions {
  /** where the chart goes: FILE.svg, and FILE.png beside it */
  readonly out?: string;
  readonly json?: boolean;
}

/** A run beside others. */
export interface ComparedRun {
  readonly run: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly measures: Readonly<Record<string, number>>;
  readonly result: RunResult | null;
}

/** What `compare --json` prints. */
export interface Comparison {
  readonly runs: readonly string[];
  /** settings that are not the same in all, and their values by run */
  readonly settings: Readonly<Record<string, readonly unknown[]>>;
  /** numbers of their results, by run; `null` where a run has none */
  readonly measures: Readonly<Record<string, readonly (number | null)[]>>;
  /** what was found doubtful of each */
  readonly warnings: readonly (readonly string[])[];
}

/**
 * `revort compare`: losses, checks and settings that differ, of several runs, in one table and one chart.
 *
 * @returns the exit code
 */
export async function compareCommand(
  folders: readonly string[],
  { out = "runs/compare.svg", json }: CompareCommandOptions,
  console: Console,
): Promise<number> {
  if (!/\.svg$/i.test(out))
    throw new UsageError(`--out takes a file that ends in .svg, but "${out}" was given.`);
  const runs: ComparedRun[] = [];
  for (const folder of await expanded(folders)) runs.push(await readRun(folder));
  const [first] = runs as [ComparedRun];
  if (runs.length < 2) {
    throw new UsageError(
      `There is one run to compare, ${first.run}; name two or more, or the folder of a sweep.`,
    );
  }
  const comparison = comparisonOf(runs);
  const { svg, png } = await renderChart(lossesChart(runs));
  await writeAtomic(out, svg);
  await writeAtomic(out.replace(/\.svg$/i, ".png"), png);
  if (json) console.json({ ...comparison, chart: out });
  else console.stdout.write(`${shown(comparison)}\nWritten to ${printable(out)}\n`);
  return exitCodes.done;
}

/** Runs, with those of a sweep in its place. */
async function expanded(folders: readonly string[]): Promise<string[]> {
  const all: string[] = [];
  for (const folder of folders) {
    if (!(await holdsSweep(folder))) all.push(folder);
    else {
      for (const run of runsOf(folder, await openSweep(folder))) {
        if ((await resultOf(run.folder)) !== null) all.push(run.folder);
      }
    }
  }
  if (all.length > 0) return all;
  throw new RunFolderError(`No run in ${folders.join(", ")} has ended.`);
}

async function readRun(run: string): Promise<ComparedRun> {
  await checkHoldsRun(run);
  if ((await runKind(run)) === null) {
    throw new RunFolderError(`${run}/${runFiles.settings} is damaged. Start a new run.`);
  }
  const said = JSON.parse(await readRunText(run, runFiles.settings)) as Record<string, object>;
  const settings = byPath((said.settings ?? said.task ?? said.languageModel) as Record<string, unknown>);
  const result = await resultOf(run);
  return { run, settings, result, measures: result === null ? {} : measuresOf(result) };
}

/** Settings within settings, each under its path: `series.field`. */
function byPath(settings: Readonly<Record<string, unknown>>, prefix = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.entries(byPath(value as Record<string, unknown>, `${prefix}${name}.`))
        : [[`${prefix}${name}`, value]],
    ),
  );
}

function comparisonOf(runs: readonly ComparedRun[]): Comparison {
  const namesOf = (of: (run: ComparedRun) => object) => [
    ...new Set(runs.flatMap((run) => Object.keys(of(run)))),
  ];
  const differing = namesOf(({ settings }) => settings).filter(
    (name) => new Set(runs.map(({ settings }) => printableJson(settings[name] ?? null))).size > 1,
  );
  return {
    runs: runs.map(({ run }) => run),
    settings: Object.fromEntries(
      differing.map((name) => [name, runs.map(({ settings }) => settings[name] ?? null)]),
    ),
    measures: Object.fromEntries(
      namesOf(({ measures }) => measures).map((name) => [
        name,
        runs.map(({ measures }) => measures[name] ?? null),
      ]),
    ),
    warnings: runs.map(({ result }) => [
      ...(result === null ? ["it has not ended"] : []),
      ...(result?.warnings ?? []).map(({ message }) => message),
      ...(result?.check?.warning ? [result.check.warning] : []),
    ]),
  };
}

function shown({ runs, settings, measures, warnings }: Comparison): string {
  const digits = (value: number | null) => (value === null ? "–" : String(Number(value.toPrecision(5))));
  const word = (value: unknown) =>
    printable(value === null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));
  const rows = [
    ["", ...runs.map((run) => printable(run))],
    ...Object.entries(measures).map(([name, values]) => [printable(name), ...values.map(digits)]),
    ...(warnings.some((list) => list.length > 0)
      ? [["warnings", ...warnings.map((list) => String(list.length))]]
      : []),
    ...Object.entries(settings).map(([name, values]) => [printable(name), ...values.map(word)]),
  ];
  const said = warnings.flatMap((list, i) =>
    list.map((text) => `${printable(runs[i]!)}: ${printable(text)}`),
  );
  return [table(rows), ...said].join("\n");
}

/** Colours that can be told apart; more runs are in the table alone. */
const mostDrawn = 6;

function lossesChart(runs: readonly ComparedRun[]): Chart {
  const drawn = runs.filter(({ result }) => (result?.losses?.length ?? 0) > 0).slice(0, mostDrawn);
  const positive = drawn.every(({ result }) => result!.losses!.every((loss) => loss > 0));
  return {
    title: "Loss before each update",
    ...(drawn.length < runs.length ? { subtitle: `${drawn.length} of ${runs.length} runs` } : {}),
    panels: [
      {
        x: { title: "update" },
        y: { title: "loss", ...(positive ? { scale: "log" } : {}) },
        layers: drawn.map(({ run, result }) => ({
          ...{ kind: "line", name: run, y: result!.losses! },
          x: result!.losses!.map((_, update) => update),
        })),
      },
    ],
  };
}
