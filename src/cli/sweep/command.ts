import { availableParallelism } from "node:os";
import type { Option } from "commander";
import { printable, printableJson } from "../../core/printable.js";
import { renderChart } from "../../plot/chart.js";
import type { Console } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { progress } from "../progress.js";
import { hasRunFile, runFiles, writeRunFile } from "../run-files.js";
import { runLock } from "../run-lock.js";
import type { Asked } from "../threads.js";
import { UsageError } from "../usage.js";
import { sweepChart } from "./chart.js";
import type { Ended, RunCommand } from "./child.js";
import { beginSweep, runsOf, type SweepSettings, settingsOf, sweepFiles } from "./folder.js";
import type { SweepPoint } from "./grid.js";
import { csvOf, type Judging, reportOf, type SweepReport, summary } from "./report.js";
import { resultOf, rowOf, type SweepRow } from "./rows.js";
import { type OptionValue, specFor, wordsOf } from "./spec.js";

export interface SweepCommandOptions extends Judging {
  readonly seeds?: string;
  readonly grid?: readonly string[];
  readonly jobs?: number;
  /** threads of each run; by default the cores are shared among the jobs */
  readonly threads?: Asked;
  readonly out?: string;
  readonly json?: boolean;
}

/** What a sweep is given by the program around it. */
export interface SweepContext {
  /** options for the runs, as the command line has them */
  readonly train: Readonly<Record<string, OptionValue>>;
  /** what runs may be given, by names without dashes */
  readonly known: ReadonlyMap<string, Option>;
  readonly runCommand: RunCommand;
}

type Placed = SweepPoint & { readonly folder: string };

/**
 * `revort sweep`: trains over seeds and values of options, each run in a folder of its own. A run that has its result is not
 * trained again, one that was interrupted goes on; so the same command goes on with a sweep.
 *
 * @returns the exit code: 1 where a run failed, 2 where none could begin
 */
export async function sweepCommand(
  subject: string,
  options: SweepCommandOptions,
  { train, known, runCommand }: SweepContext,
  console: Console,
): Promise<number> {
  const spec = await specFor(subject, { ...options, train }, known);
  if (spec.subject === "revdeq-lm") {
    throw new UsageError(
      "A sweep trains experiments and data; train a language model by revort train revdeq-lm.",
    );
  }
  const settings = await settingsOf(spec);
  const out = options.out ?? `runs/sweep-${nameOf(spec.subject)}`;
  const lock = runLock(console);
  try {
    await lock.take(out);
    await beginSweep(out, settings);
    const ended = await trainAll(runsOf(out, settings), settings, options, runCommand, console);
    const rows: SweepRow[] = [];
    for (const run of runsOf(out, settings)) rows.push(await rowOf(run, reasonOf(ended.get(run.name))));
    const report = reportOf(settings, rows, options, out);
    await save(out, report);
    if (options.json) console.json(report);
    else console.stdout.write(`${summary(report)}\n`);
    return exitCodeOf(report, [...ended.values()], console);
  } finally {
    await lock.release();
  }
}

function nameOf(subject: string): string {
  return subject.replace(/^.*[/\\]/, "").replace(/\.[^.]*$/, "");
}

/** Trains what has no result yet, so many at once; how each ended, by its name. */
async function trainAll(
  runs: readonly Placed[],
  settings: SweepSettings,
  { jobs = 1, threads = shareOf(jobs) }: SweepCommandOptions,
  runCommand: RunCommand,
  console: Console,
): Promise<Map<string, Ended>> {
  const signal = console.stopSignal();
  const ended = new Map<string, Ended>();
  const waiting: Placed[] = [];
  for (const run of runs) if ((await resultOf(run.folder)) === null) waiting.push(run);
  let done = runs.length - waiting.length;
  if (done > 0) console.note(`${done} of ${runs.length} runs are done already.`);
  const bar = progress({ stream: console.bar, total: runs.length, label: "runs" });
  bar.update(done);
  const work = async () => {
    for (let run = waiting.shift(); run !== undefined && !signal.aborted; run = waiting.shift()) {
      const how = await runCommand(await commandFor(run, settings, threads), signal);
      ended.set(run.name, how);
      done += 1;
      const row = await rowOf(run, reasonOf(how));
      bar.log(printable(`${run.name}: ${lineOf(row)}`));
      bar.update(done);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, runs.length) }, work));
  bar.finish();
  return ended;
}

/** The threads of each of so many jobs, which share the cores. */
function shareOf(jobs: number): Asked {
  return jobs === 1 ? "auto" : Math.max(1, Math.floor(availableParallelism() / jobs));
}

/** The command line of a run: from its beginning, or from where it stopped. */
async function commandFor(
  { folder, values, seed }: Placed,
  { subject, options }: SweepSettings,
  threads: Asked,
): Promise<string[]> {
  const begin = ["train", ...(threads === "auto" ? [] : [`--threads=${threads}`])];
  if (await hasRunFile(folder, runFiles.settings)) return [...begin, `--resume=${folder}`];
  return [...begin, ...wordsOf({ ...options, ...values, seed: String(seed), out: folder }), "--", subject];
}

function lineOf({ status, reason, measures, seconds }: SweepRow): string {
  if (status === "failed") return `failed: ${reason}`;
  if (status === "waiting") return "interrupted";
  const [first] = Object.entries(measures);
  const said = first === undefined ? "done" : `${first[0]} ${Number(first[1].toPrecision(5))}`;
  return seconds === null ? said : `${said} (${seconds.toFixed(1)} s)`;
}

/** Why a run failed: the sentence that it ended with; `null` where it did not, or was asked to stop. */
function reasonOf(ended: Ended | undefined): string | null {
  if (ended === undefined || ended.code === exitCodes.done) return null;
  if (ended.code !== null && ended.code > 128) return null;
  const sentence = ended.stderr.split("\n").findLast((line) => line.startsWith("revort: "));
  return sentence?.slice("revort: ".length) ?? `it ended with the exit code ${ended.code} and no message`;
}

function exitCodeOf({ runs, out }: SweepReport, ended: readonly Ended[], console: Console): number {
  const failed = runs.filter(({ status }) => status === "failed").length;
  const waiting = runs.filter(({ status }) => status === "waiting").length;
  if (waiting > 0) {
    console.note(`${waiting} of ${runs.length} runs are left in ${out}. The same command goes on with them.`);
    return exitCodes.interrupted;
  }
  if (failed === 0) return exitCodes.done;
  console.note(`${failed} of ${runs.length} runs failed. The same command tries them again.`);
  const wrong = failed === runs.length && ended.every(({ code }) => code === exitCodes.wrongRequest);
  return wrong ? exitCodes.wrongRequest : exitCodes.failed;
}

/** Writes what came of a sweep: JSON, a line for each run as CSV, and a chart where there is anything to draw. */
async function save(out: string, report: SweepReport): Promise<void> {
  await writeRunFile(out, sweepFiles.result, `${printableJson(report, 2)}\n`);
  await writeRunFile(out, sweepFiles.table, csvOf(report));
  if (report.best === null) return;
  const losses = new Map<string, readonly number[]>();
  for (const { name, folder } of report.runs) losses.set(name, (await resultOf(folder))?.losses ?? []);
  const { svg, png } = await renderChart(sweepChart(report, losses));
  await writeRunFile(out, `${sweepFiles.chart}.svg`, svg);
  await writeRunFile(out, `${sweepFiles.chart}.png`, png);
}
