import { basename } from "node:path";
import { loadModel } from "../../deploy/load-model.js";
import { finer, finerCheck } from "../../experiments/finer-check.js";
import { experimentOn, type SeriesExperiment } from "../../experiments/series/experiment.js";
import { readSet } from "../../experiments/series/read-set.js";
import type { StepCheck } from "../../experiments/series/step-check.js";
import { taskLossChart } from "../../experiments/task-chart.js";
import type {
  NamedEstimates,
  PreparedTask,
  TaskExperiment,
  TrainedTask,
} from "../../experiments/task-experiment.js";
import { taskScheduleOf } from "../../experiments/task-schedule.js";
import { taskExperiments } from "../../experiments/tasks.js";
import { largestMemory } from "../../figures/largest-memory.js";
import { fit } from "../../models/fit.js";
import { evaluate } from "../../models/measuring.js";
import type { Runtime } from "../../runtime/runtime.js";
import type { Threads } from "../../runtime/threads.js";
import { readBytes } from "../../storage/read.js";
import { encodeSafetensors } from "../../storage/safetensors.js";
import { besideCheck } from "../../train/estimate-report.js";
import type { Console } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { fieldNames, importOptions } from "../field-options.js";
import {
  chartFiles,
  concluded,
  type FitRun,
  type KeptFit,
  keptFit,
  newFitRun,
  resumedFitRun,
  saveChart,
  saveFit,
} from "../fit-run.js";
import { withIntervals } from "../intervals-option.js";
import { progress } from "../progress.js";
import type { ModelReport } from "../report/model-report.js";
import { runFiles, writeRunFile } from "../run-files.js";
import { copyNames, modelInputs } from "../run-inputs.js";
import { type RunLock, runLock } from "../run-lock.js";
import { isModelFile } from "../run-settings.js";
import { explainOnce, openRuntime } from "../runtimes.js";
import { withEquations } from "../series/equations.js";
import { seriesFlags, seriesOwn, seriesSettingsFor } from "../series/settings.js";
import { filesOf } from "../series/subjects.js";
import { checkWarmStart } from "../series/warm-start-check.js";
import { decodeParameters } from "../settings.js";
import { withThreads } from "../threads.js";
import { trainedOf } from "../trained.js";
import { optionFlag, UsageError } from "../usage.js";
import { copiesOf, dataPaths } from "./data-files.js";
import { nameFiles, openTaskRun, type TaskRun, writeTaskRun } from "./folder.js";
import { experimentOf, preparedFor } from "./load.js";
import { reportOf, summary, summaryRows, type TaskReport } from "./report.js";
import { checkOptions, optimiserOf, settingsFor, type TaskOptions, type TaskSettings } from "./settings.js";
import { checkUnchanged } from "./unchanged.js";

/**
 * `revort train NAME` for an experiment whose model is more than a field: trains, shows progress, and leaves a run folder
 * behind that can be looked at, deployed and resumed. So it is for files of trajectories.
 *
 * @returns the exit code
 */
export async function taskTrainCommand(
  subjects: readonly string[],
  options: TaskOptions,
  console: Console,
  files: readonly string[] | null = null,
): Promise<number> {
  const lock = runLock(console);
  try {
    const run = await runFor(subjects, files, options, lock, console);
    const experiment = await experimentOf(options.resume ?? "", run.opened);
    const report = await trainRun(experiment, run, options, console);
    const isOwnData = run.opened.data.length > 0 && experiment.data?.needed === false;
    const code = concluded(report, summary(experiment, report, isOwnData), options, console);
    for (const { message } of report.warnings) console.note(`Warning: ${message}`);
    return report.warnings.length > 0 && options.strict ? exitCodes.failed : code;
  } finally {
    await lock.release();
  }
}

/** Whether files are those of a run. */
async function isOn(data: readonly Uint8Array[], subjects: readonly string[]): Promise<boolean> {
  const files = await Promise.all((await filesOf(subjects)).map((path) => readBytes(path)));
  return files.length === data.length && files.every((bytes, i) => Buffer.from(bytes).equals(data[i]!));
}

async function runFor(
  subjects: readonly string[],
  files: readonly string[] | null,
  options: TaskOptions,
  lock: RunLock,
  console: Console,
): Promise<FitRun<TaskRun>> {
  const { resume } = options;
  const [subject] = subjects;
  if (resume === undefined) {
    if (files !== null) {
      const name = basename(files[0]!).replace(/\.[^.]*$/, "");
      return newFitRun(name, await askedOf(files, options, console), options, lock, writeTaskRun);
    }
    const experiment = taskExperiments.find(({ name }) => name === subject)!;
    return newFitRun(experiment.name, await asked(experiment, options), options, lock, writeTaskRun);
  }
  const open = async (folder: string) => {
    const run = await openTaskRun(folder);
    const { experiment } = run.settings;
    const isSame = run.settings.series === null ? subject === experiment : await isOn(run.data, subjects);
    if (subject !== undefined && !isSame) {
      throw new UsageError(`The run ${folder} trains ${experiment}; leave out ${subject}.`);
    }
    await checkUnchanged(folder, run, options);
    return run;
  };
  return resumedFitRun(resume, options, lock, open, writeTaskRun);
}

/** What the command line asks for. */
async function asked(experiment: TaskExperiment, options: TaskOptions): Promise<TaskRun> {
  checkOptions(experiment, options);
  const paths = await dataPaths(experiment, options);
  return {
    settings: settingsFor(experiment, options, copiesOf(paths)),
    data: await Promise.all(paths.map((path) => readBytes(path))),
    init: options.init === undefined ? null : await readBytes(options.init),
    ...{ field: null, files: [] },
  };
}

/** What the command line asks for, of files of trajectories. */
async function askedOf(paths: readonly string[], options: TaskOptions, console: Console): Promise<TaskRun> {
  const own = [...seriesFlags, ...seriesOwn, ...fieldNames, "intervals", "strict"];
  checkOptions({ name: "trajectories", unused: ["full"] }, options, own);
  if (options.data !== undefined) throw new UsageError("Give either files of data or --data, not both.");
  const data = await Promise.all(paths.map((path) => readBytes(path)));
  const dataFiles = copiesOf(paths);
  const series = seriesSettingsFor(options);
  const read = await readSet(
    paths.map((path, i) => ({ name: basename(path), bytes: data[i]! })),
    series,
  );
  checkWarmStart(read.set, series, options);
  const begun = await withEquations(series, read, options, console);
  const path = series.field !== null && isModelFile(series.field) ? options.field! : null;
  const field = path === null ? null : { model: await loadModel(path), files: await modelInputs(path) };
  const file = field && { model: field.model, options: importOptions(options) };
  const experiment = experimentOn(read, begun.series, file, paths.length);
  return {
    ...{ settings: settingsFor(experiment, options, dataFiles, begun.series), data, field, files: [] },
    init: options.init === undefined ? null : await readBytes(options.init),
    notes: [
      ...begun.notes,
      ...(field === null
        ? []
        : trainedOf(field.model, importOptions(options), begun.series.trainY0 ?? false)),
    ],
  };
}

async function trainRun(
  experiment: TaskExperiment & Partial<SeriesExperiment>,
  run: FitRun<TaskRun>,
  options: TaskOptions,
  console: Console,
): Promise<TaskReport> {
  const { settings } = run.opened;
  const say = console.note;
  say(`${experiment.name}: ${experiment.about}`);
  const warn = (warnings: PreparedTask["warnings"] = []) => {
    for (const { message } of warnings) say(`Warning: ${message}`);
  };
  warn(experiment.warnings);
  for (const note of [...(experiment.notes ?? []), ...(run.opened.notes ?? [])]) say(note);
  const runtime = await openRuntime(settings.runtime, { say, explain: explainOnce(say, ["updates"]) });
  const prepared = await preparedFor(experiment, run.opened);
  warn(prepared.warnings);
  const batchSize = batchSizeOf(prepared, settings, options);
  const folder = await run.begin();
  const { steps } = settings;
  const kept = {
    folder,
    steps,
    every: options.checkpointEvery ?? 15,
    console,
    isNew: options.resume === undefined,
  };
  const started = await warmStarted(run, prepared, runtime, folder, console);
  const { result: fit, reconstructionError } = await withThreads(options.threads, (threads) =>
    fitted(started, prepared, { runtime, threads }, batchSize, kept),
  );
  const memory = largestMemory();
  const on = { runtime, dtype: settings.dtype };
  const estimates = await estimated(
    prepared,
    fit,
    { ...on, ...fit.best },
    settings,
    options,
    folder,
    console,
  );
  const found = { ...fit.best, parameters: estimates?.parameters ?? fit.best.parameters };
  const held = (await prepared.held?.({ ...on, ...found })) ?? null;
  if (held !== null) say(held.note);
  const best = { ...found, parameters: held?.parameters ?? found.parameters };
  const result = { ...fit, best };
  const trained: TrainedTask = { ...on, ...best };
  const measure = async (name: string, of: PreparedTask["training"], by = prepared.task) => {
    const { notes, ...measures } = await evaluate(by, of, trained);
    for (const note of notes) say(`${name}: ${note}`);
    return measures;
  };
  const findings = {
    ...(await prepared.findings?.(trained)),
    ...(await bySteps(experiment, run.opened, prepared, result, trained)),
  };
  const check = (findings as { check?: StepCheck }).check;
  const known = estimates && (check === undefined ? estimates.report : besideCheck(estimates.report, check));
  // a report has them beside named parameters alone
  if (known?.intervals.problem && Object.keys(known.parameters).length === 0) say(known.intervals.problem);
  const report = reportOf({
    ...{
      settings: { ...started.opened.settings, batchSize },
      prepared,
      result,
      reconstructionError,
      estimates: known,
      heldOut: held?.note ?? null,
      warnings: [...(experiment.warnings ?? []), ...(prepared.warnings ?? [])],
      ...{ largestMemory: memory, out: folder },
    },
    training: await measure("training data", prepared.training),
    test: prepared.test && (await measure("test data", prepared.test, prepared.measured)),
    findings,
  });
  await saveFit(folder, result, report);
  const { models, charts } = await saveMade(folder, started.opened.settings, prepared, trained, report);
  const { modelReport } = await import("../report/model-report.js");
  const isOwnData = run.opened.data.length > 0 && experiment.data?.needed === false;
  const page = modelReport({
    ...{ title: experiment.name, about: experiment.about, settings: started.opened.settings, models, charts },
    rows: summaryRows(experiment, report, isOwnData),
    estimates: known,
    notes: [...report.notes.map(({ message }) => message), ...(held === null ? [] : [held.note])],
    ...{ stopped: report.stopped, runtime: settings.runtime, out: folder, commands: [] },
  });
  await writeRunFile(folder, runFiles.report, page);
  return report;
}

/** What comes of shorter steps; nothing for trajectories, whose findings say it, and where there are none to be made shorter. */
async function bySteps(
  experiment: TaskExperiment,
  opened: TaskRun,
  prepared: PreparedTask,
  { losses, stopped }: KeptFit["result"],
  trained: TrainedTask,
): Promise<{ check?: StepCheck }> {
  const { unused = [], sde } = experiment;
  const { series, stepSize } = opened.settings;
  if (series !== null || sde !== undefined || unused.includes("stepSize") || stopped === "aborted") return {};
  const short = await preparedFor(experiment, opened, finer);
  const gain = { first: losses[0] ?? null, last: losses.at(-1) ?? null };
  return { check: await finerCheck({ prepared, short }, stepSize, gain, trained) };
}

/** The named scalars of a fit, where it has such; a bootstrap of their intervals is seeded as the run is. */
function estimated(
  { estimates }: PreparedTask,
  { stopped }: KeptFit["result"],
  trained: TrainedTask,
  { seed }: TaskSettings,
  { intervals }: TaskOptions,
  folder: string,
  console: Console,
): Promise<NamedEstimates | null> {
  return withIntervals(intervals, { folder, seed }, console, async (asked) => {
    if (estimates === undefined) return null;
    const bootstrap = asked?.bootstrap ?? null;
    return estimates(trained, {
      ...{
        method: asked?.method ?? "gauss-newton",
        isAsked: asked !== null,
        isStopped: stopped === "aborted",
      },
      ...(bootstrap === null ? {} : { bootstrap }),
    });
  });
}

/**
 * Samples of an update: what is asked for, or what the protocol has, as far as there are so many.
 *
 * @throws {UsageError} for more than there are, and for validations of data without any
 */
function batchSizeOf(
  { training, validation }: PreparedTask,
  { experiment, batchSize }: TaskSettings,
  options: TaskOptions,
): number {
  const samples = Object.values(training)[0]!.shape[0]!;
  if ((options.batchSize ?? 0) > samples) {
    throw new UsageError(
      `--batch-size takes 1 to ${samples}, as many as there are to train on, but ${options.batchSize} was given.`,
    );
  }
  for (const name of ["validateEvery", "patience"] as const) {
    if (validation === null && options[name] !== undefined) {
      throw new UsageError(
        `The experiment ${experiment} has no validation data; leave out ${optionFlag(name)}.`,
      );
    }
  }
  return Math.min(batchSize ?? samples, samples);
}

async function fitted(
  { opened: { settings, init }, checkpoint }: FitRun<TaskRun>,
  prepared: PreparedTask,
  where: { readonly runtime: Runtime; readonly threads: Threads },
  batchSize: number,
  kept: Parameters<typeof keptFit>[0],
): Promise<KeptFit> {
  const { steps, dtype, seed, clip, validateEvery, patience, gradient } = settings;
  const { task, training, validation, measured, optimiser } = prepared;
  const schedule = taskScheduleOf(prepared, settings);
  const validated = (loss: number) => `validation loss ${loss.toPrecision(6)}`;
  const { result, reconstructionError } = await keptFit(kept, validated, (hooks) =>
    fit(task, training, {
      ...{ ...where, steps, dtype, seed, batchSize },
      optimiser: optimiser === undefined ? optimiserOf(settings) : optimiser(optimiserOf(settings)),
      ...(schedule === undefined ? {} : { schedule: schedule(steps) }),
      ...(init === null ? {} : { parameters: decodeParameters(init, "--init", dtype) }),
      ...(clip === null ? {} : { clip }),
      ...(validation === null ? {} : { validation }),
      ...(validation === null || measured === undefined ? {} : { validationTask: measured }),
      ...(validation === null || validateEvery === null ? {} : { validateEvery }),
      ...(patience === null ? {} : { patience }),
      ...(checkpoint === null ? {} : { resume: checkpoint }),
      ...hooks,
    }),
  );
  return { result, reconstructionError: gradient.startsWith("reversible") ? reconstructionError : null };
}

/**
 * A run with the parameters that it starts from, where its experiment finds such. They are kept with it as if they had been
 * given, so that it goes on from them, and is done again from them.
 */
async function warmStarted(
  run: FitRun<TaskRun>,
  { warmStart }: PreparedTask,
  runtime: Runtime,
  folder: string,
  console: Console,
): Promise<FitRun<TaskRun>> {
  const { settings, init, files } = run.opened;
  if (warmStart === undefined || init !== null || (run.checkpoint?.step ?? 0) > 0) return run;
  let bar: ReturnType<typeof progress> | null = null;
  const found = await warmStart({
    ...{ runtime, seed: settings.seed, signal: console.stopSignal(), note: console.note },
    onUpdate(done, total, loss) {
      bar ??= progress({ stream: console.bar, total, label: "warm start" });
      bar.update(done, loss === null ? {} : { loss });
    },
  }).finally(() => bar?.finish());
  // interrupted: the next time it begins anew
  if (found === null) return run;
  const bytes = encodeSafetensors(found);
  const opened = { ...run.opened, init: bytes, settings: { ...settings, init: true } };
  await writeRunFile(folder, copyNames.init, bytes);
  await nameFiles(folder, opened.settings, files);
  return { ...run, opened, checkpoint: null };
}

/** Writes the models and charts of an experiment. */
async function saveMade(
  folder: string,
  settings: TaskSettings,
  prepared: PreparedTask,
  trained: TrainedTask,
  report: TaskReport,
): Promise<Pick<ModelReport, "models" | "charts">> {
  const models = prepared.files(trained);
  const charts = { losses: taskLossChart(report), ...(await prepared.charts?.(trained)) };
  await nameFiles(folder, settings, [...Object.keys(models), ...Object.keys(charts).flatMap(chartFiles)]);
  for (const [name, bytes] of Object.entries(models)) await writeRunFile(folder, name, bytes);
  const drawn = new Map<string, string>();
  for (const [name, chart] of Object.entries(charts)) drawn.set(name, await saveChart(folder, name, chart));
  return { models, charts: drawn };
}
