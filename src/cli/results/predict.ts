import { basename, join } from "node:path";
import { printable } from "../../core/printable.js";
import { numbers } from "../../core/tensor.js";
import { checkWritable, writeAtomic } from "../../storage/atomic.js";
import { formatTimeSeries } from "../../storage/csv-format.js";
import { readBytes } from "../../storage/read.js";
import type { Console } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { hasRunFile, readRunText, runFiles } from "../run-files.js";
import { checkHoldsRun, RunFolderError } from "../run-folder.js";
import { runKind } from "../run-kind.js";
import type { RuntimeName } from "../runtimes.js";
import { holdsSweep, openSweep, runsOf, sweepFiles } from "../sweep/folder.js";
import type { SweepReport } from "../sweep/report.js";
import { resultOf } from "../sweep/rows.js";
import { openTaskRun } from "../tasks/folder.js";
import { loadTask } from "../tasks/load.js";
import { parseState, UsageError } from "../usage.js";
import { type Forecast, type ForecastRequest, forecastOf, type Prediction } from "./forecast.js";
import { forecastChart } from "./forecast-chart.js";
import { type LoadOptions, loadTrainedRun } from "./trained-run.js";

export interface PredictCommandOptions extends ForecastRequest {
  readonly best?: boolean;
  readonly runtime?: RuntimeName;
  /** a CSV file; its chart is beside it */
  readonly out?: string;
  readonly json?: boolean;
}

/**
 * `revort predict`: the states of a trained field over time, past the data and beyond; of a sweep, their mean and range over
 * seeds.
 *
 * @returns the exit code
 */
export async function predictCommand(
  folder: string,
  { out, json, best, runtime, ...request }: PredictCommandOptions,
  console: Console,
): Promise<number> {
  if (out !== undefined) for (const path of [out, ...chartPaths(out)]) await checkWritable(path);
  if (request.missing !== undefined && request.data === undefined) {
    throw new UsageError("--missing is about new data; give --data with it, or leave it out.");
  }
  const runs = await runsFor(folder);
  const forecasts: Forecast[] = [];
  const load = { ...(best === undefined ? {} : { best }), ...(runtime === undefined ? {} : { runtime }) };
  for (const run of runs) {
    await noteDoubts(run, console);
    forecasts.push(await oneForecast(run, load, request, console));
  }
  const prediction = together(runs, forecasts);
  if (out !== undefined) {
    await writeAtomic(
      out,
      csvOf(prediction, (name) => name),
    );
    const { renderChart } = await import("../../plot/chart.js");
    const { svg, png } = await renderChart(forecastChart(prediction, folder));
    const [vectors, pixels] = chartPaths(out);
    await writeAtomic(vectors, svg);
    await writeAtomic(pixels, png);
    console.note(`Written to ${out}, ${vectors} and ${pixels}`);
  }
  if (json) console.json({ run: folder, ...prediction });
  else if (out === undefined) console.stdout.write(csvOf(prediction, printable));
  return exitCodes.done;
}

/** The forecast of a run, of whichever kind has one. */
async function oneForecast(
  run: string,
  load: LoadOptions,
  request: ForecastRequest,
  console: Console,
): Promise<Forecast> {
  if ((await runKind(run)) === "trajectories") {
    if (request.trajectory !== undefined) {
      throw new UsageError(`${run} was trained on one trajectory; leave out --trajectory.`);
    }
    return forecastOf(await loadTrainedRun(run, load, console), request, console.note);
  }
  if (load.best !== undefined) {
    throw new UsageError(`--best is for runs without validation; ${run} keeps its best parameters anyway.`);
  }
  const { prepared, trained } = await loadTask(run, load.runtime, console);
  const { data, y0, missing, ...rest } = request;
  return prepared.forecast!(trained, {
    ...rest,
    note: console.note,
    ...(data === undefined
      ? {}
      : { file: { name: basename(data), bytes: await readBytes(data), ...(missing && { missing }) } }),
    ...(y0 === undefined ? {} : { y0: numbers(parseState("--y0", y0, "float64")) }),
  });
}

const chartPaths = (out: string): [string, string] => {
  const stem = out.replace(/\.[^./\\]*$/, "");
  return [`${stem}.svg`, `${stem}.png`];
};

/** The runs that a forecast is made of. @throws {RunFolderError | UsageError} for runs that have none */
async function runsFor(folder: string): Promise<string[]> {
  if (await holdsSweep(folder)) return runsOfSweep(folder);
  await checkHoldsRun(folder);
  const kind = await runKind(folder);
  if (kind === "languageModel") {
    throw new UsageError(
      `${folder} is the run of a language model, which goes on with texts: revort generate ${folder}.`,
    );
  }
  if (kind === "task") {
    const { settings, files } = await openTaskRun(folder);
    if (settings.series !== null) return [folder];
    const models = files.filter((name) => name.endsWith(".onnx")).map((name) => join(folder, name));
    throw new UsageError(
      `${folder} is a run of ${settings.experiment}, which has no trajectories to go on with. ` +
        (models.length === 0
          ? `When it has ended, its .onnx files are ready to use.`
          : `Its models run in ONNX Runtime: ${models.join(", ")} (revort inspect shows what they take).`),
    );
  }
  return [folder];
}

/** The runs of a sweep that have ended: those with the values of its best run. */
async function runsOfSweep(folder: string): Promise<string[]> {
  const settings = await openSweep(folder);
  const report = (await hasRunFile(folder, sweepFiles.result))
    ? (JSON.parse(await readRunText(folder, sweepFiles.result)) as SweepReport)
    : null;
  const values = JSON.stringify(report?.best?.values ?? null);
  const runs: string[] = [];
  for (const run of runsOf(folder, settings)) {
    if (values !== "null" && JSON.stringify(run.values) !== values) continue;
    if ((await resultOf(run.folder)) !== null) runs.push(run.folder);
  }
  if (runs.length === 0) {
    throw new RunFolderError(
      `No run of the sweep ${folder} has ended. Go on with it by the same revort sweep.`,
    );
  }
  const kind = await runKind(runs[0]!);
  if (kind !== "trajectories") await runsFor(runs[0]!);
  return runs;
}

/** What training has said of a fit holds for its forecasts. */
async function noteDoubts(run: string, { note }: Console): Promise<void> {
  if (!(await hasRunFile(run, runFiles.result))) return;
  const warning = (await resultOf(run))?.check?.warning;
  if (warning) note(`Warning: ${run}: ${warning}`);
}

/** @throws {UsageError} for runs on other components */
function together(runs: readonly string[], forecasts: readonly Forecast[]): Prediction {
  const [first] = forecasts as [Forecast];
  const other = forecasts.findIndex(({ components }) => components.join() !== first.components.join());
  if (other >= 0)
    throw new UsageError(`${runs[0]} and ${runs[other]} have other components; predict each by itself.`);
  if (runs.length === 1) return { ...first, runs, low: null, high: null };
  const over = (of: (values: number[]) => number) =>
    first.components.map((_, i) =>
      first.times.map((_, k) => of(forecasts.map(({ states }) => states[i]![k]!))),
    );
  return {
    ...first,
    runs,
    states: over((values) => values.reduce((sum, value) => sum + value / values.length, 0)),
    low: over((values) => Math.min(...values)),
    high: over((values) => Math.max(...values)),
  };
}

/** Times and states as CSV: for each component its value, and, over several runs, the least and the greatest. */
function csvOf(
  { time, components, times, states, low, high }: Prediction,
  spelled: (name: string) => string,
): string {
  const columns = components.flatMap((name, i) => [
    { name: spelled(name), values: states[i]! },
    ...(low === null || high === null
      ? []
      : [
          { name: spelled(`${name} low`), values: low[i]! },
          { name: spelled(`${name} high`), values: high[i]! },
        ]),
  ]);
  const taken = columns.some(({ name }) => name === time.name);
  return formatTimeSeries({
    timeName: taken ? "time" : time.name,
    names: columns.map(({ name }) => name),
    times: Float64Array.from(times),
    values: Float64Array.from(times.flatMap((_, k) => columns.map(({ values }) => values[k]!))),
  });
}
