import { resolve } from "node:path";
import { printable } from "../core/printable.js";
import { checkFieldFile } from "../deploy/field-file.js";
import { taskNames } from "../experiments/task-names.js";
import type { Tensors } from "../fields/field.js";
import { chooseGradient, type GradientTask } from "../gradients/choice.js";
import { type GradientRequest, showGradientMethod } from "../gradients/method.js";
import { checkParameters } from "../integrate/solve.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Threads } from "../runtime/threads.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type { IntervalMethod } from "../train/estimate-report.js";
import { gradientTask } from "../train/gradient-task.js";
import { type TrainResult, train, type UpdateReport } from "../train/train.js";
import { componentErrors } from "./component-errors.js";
import type { Console } from "./console.js";
import { withChosenCoupling } from "./coupling.js";
import { estimated } from "./estimates.js";
import { exitCodes } from "./exit-codes.js";
import { exitCodeOf } from "./failure.js";
import { importOptionsOf } from "./field-options.js";
import { withIntervals } from "./intervals-option.js";
import type { LanguageOptions } from "./language/options.js";
import { asTrained, type Problem, problemOf, type Sources, stepNote } from "./problem.js";
import { progress } from "./progress.js";
import { checkUnchanged } from "./resumption.js";
import { clearRun } from "./run-files.js";
import {
  beginRun,
  checkCheckpoint,
  checkHoldsRun,
  freshFolder,
  loadCheckpoint,
  openRun,
  saveCheckpoint,
  writeSettings,
} from "./run-folder.js";
import { readInit, readInputs } from "./run-inputs.js";
import { runKind } from "./run-kind.js";
import { type RunLock, runLock } from "./run-lock.js";
import { saveFailure, saveResult } from "./run-results.js";
import type { RunSettings } from "./run-settings.js";
import { summary } from "./run-summary.js";
import { explainOnce, openRuntime } from "./runtimes.js";
import type { SeriesOptions } from "./series/settings.js";
import { seriesFiles } from "./series/subjects.js";
import { decodeParameters, type ProblemOptions, settingsFor } from "./settings.js";
import { type Asked, withThreads } from "./threads.js";
import { reportOf, type TrainReport } from "./train-report.js";
import { trainedOf } from "./trained.js";
import { optionFlag, UsageError } from "./usage.js";
import { warmStarted } from "./warm-start.js";

export interface TrainCommandOptions extends ProblemOptions {
  readonly batchSize?: number;
  readonly validateEvery?: number;
  readonly samples?: number;
  readonly network?: string;
  readonly full?: boolean;
  readonly threads?: Asked;
  readonly resume?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  /** seconds between two checkpoints, so that not even a power cut costs more */
  readonly checkpointEvery?: number;
  /** whether a fit that its own field does not bear out is a failure */
  readonly strict?: boolean;
  /** how intervals of scalar parameters are wanted; `true` for the usual way */
  readonly intervals?: IntervalMethod | true;
  readonly json?: boolean;
}

/**
 * `revort train`: trains, shows progress, and leaves a run folder behind that can be looked at, exported and resumed.
 *
 * @returns the exit code
 */
export async function trainCommand(
  subjects: readonly string[],
  options: TrainCommandOptions & SeriesOptions,
  console: Console,
): Promise<number> {
  const [subject] = subjects;
  const files = options.resume === undefined ? await seriesFiles(subjects, options) : null;
  if (files !== null) {
    const { taskTrainCommand } = await import("./tasks/train.js");
    return taskTrainCommand([], options, console, files);
  }
  const kind = options.resume === undefined ? null : await runKind(options.resume);
  if (kind === "task" || (options.resume === undefined && taskNames.includes(subject ?? ""))) {
    const { taskTrainCommand } = await import("./tasks/train.js");
    return taskTrainCommand(subjects, options, console);
  }
  if (options.resume !== undefined && kind === "languageModel") {
    if (subject !== undefined) {
      throw new UsageError(`The run ${options.resume} is one of revdeq-lm; leave out ${subject}.`);
    }
    const { languageTrainCommand } = await import("./language/train.js");
    return languageTrainCommand(options as unknown as LanguageOptions, console);
  }
  const foreign = (["batchSize", "validateEvery", "samples", "network", "full"] as const).find(
    (name) => options[name] !== undefined,
  );
  if (foreign !== undefined) {
    throw new UsageError(`${optionFlag(foreign)} is for ${taskNames.join(", ")}; leave it out.`);
  }
  const { problem, report, result } = await trainRun(subject, options, console);
  if (options.json) console.json(report);
  else console.stdout.write(`${summary(problem, report)}\n`);
  const warnings = [
    ...report.warnings.map(({ message }) => message),
    ...(report.check?.warning ? [report.check.warning] : []),
  ];
  for (const warning of warnings) console.note(`Warning: ${warning}`);
  if (warnings.length > 0 && options.strict) return exitCodes.failed;
  if (result.stopped !== "aborted") {
    // what was stopped is a bootstrap, say
    return console.stopSignal().aborted ? exitCodes.interrupted : exitCodes.done;
  }
  console.note(`Stopped after update ${report.steps}. Continue with: revort train --resume ${report.out}`);
  return exitCodes.interrupted;
}

/** What a training leaves in this process. */
interface Trained {
  readonly problem: Problem;
  readonly report: TrainReport;
  readonly result: TrainResult;
}

/** Trains a new run or goes on with one, and writes its folder, which is locked meanwhile. */
export async function trainRun(
  subject: string | undefined,
  options: TrainCommandOptions,
  console: Console,
): Promise<Trained> {
  const lock = runLock(console);
  try {
    return await trainUnder(lock, subject, options, console);
  } finally {
    await lock.release();
  }
}

async function trainUnder(
  lock: RunLock,
  subject: string | undefined,
  options: TrainCommandOptions,
  console: Console,
): Promise<Trained> {
  const { resume } = options;
  const run =
    resume === undefined
      ? await newRun(subject, options, lock)
      : await resumedRun(resume, subject, options, lock);
  let { settings } = run;
  const say = console.note;
  const runtime = await openRuntime(settings.runtime, {
    say: say,
    explain: explainOnce(say, ["updates", "gradient"]),
  });
  let problem = await problemOf(settings, run.sources, runtime);
  checkStart(problem, run);
  say(`${problem.experiment.name}: ${problem.experiment.about}`);
  run.notes.forEach(say);
  if (run.sources.model !== null) {
    for (const line of trainedOf(run.sources.model, importOptionsOf(settings), settings.trainY0)) say(line);
  }
  if (options.coupling === "auto" && resume === undefined) {
    const chosen = await withChosenCoupling(settings, run.sources, problem, run.parameters, runtime);
    ({ settings, problem } = chosen);
    say(chosen.message);
  }
  if (settings.gradient === "auto") {
    const { gradient, notes } = chooseGradient(problem.ode, "auto", taskOf(problem, settings));
    settings = { ...settings, gradient: showGradientMethod(gradient) };
    for (const note of notes) say(note);
  }
  const long = options.stepSize === undefined ? null : stepNote(problem);
  if (long !== null) say(long);
  if (settings.trainY0 && options.trainY0 !== true && resume === undefined) {
    say(
      settings.parameters === null
        ? "The first row has gaps, so the initial state is trained as well."
        : "The initial state is trained as well, since the first row has errors like the others; --no-train-y0 takes it as exact.",
    );
  }
  if (run.checkpoint !== null && run.checkpoint.step >= settings.steps) {
    say(`The run has its ${run.checkpoint.step} updates already; go further with a larger --steps.`);
  }
  const { folder, undo } = await run.begin(settings);
  const { checkpointEvery: every = 15, strict = false } = options;
  const place: Omit<Place, "threads"> = { folder, undo, say, every, strict };
  const warm = { folder, runtime, console };
  const begun = await warmStarted({ ...run, settings }, problem, run.sources, warm);
  settings = begun.settings;
  const fitted = await withThreads(options.threads, (threads) =>
    fitRun(problem, begun, runtime, console, { ...place, threads }),
  );
  problem = asTrained(problem, fitted.coupling);
  const ended = problem;
  const { result, report: estimates } = await withIntervals(
    options.intervals,
    { folder, seed: settings.seed },
    console,
    (asked) => estimated(ended, settings, fitted, runtime, asked),
  );
  // who interrupts a run does not wait for another solve
  const errors = result.check === null ? null : await componentErrors(problem, result, runtime);
  const report = reportOf(problem, settings, result, { errors, estimates }, folder);
  await saveResult(folder, problem, result, report, { settings, runtime, say });
  return { problem, report, result };
}

/** A run about to be trained. */
interface Run {
  readonly settings: RunSettings;
  readonly sources: Sources;
  /** what was decided that nobody asked for */
  readonly notes: readonly string[];
  /** what it starts with, where it is not drawn from the seed */
  readonly parameters: Tensors | null;
  /** where it goes on */
  readonly checkpoint: Checkpoint | null;
  /** makes sure that there is a folder, and that it can be written */
  readonly begin: (settings: RunSettings) => Promise<Pick<Place, "folder" | "undo">>;
}

/** Where a run is written. */
interface Place {
  readonly folder: string;
  /** removes what was begun */
  readonly undo: () => Promise<void>;
  readonly say: (note: string) => void;
  /** seconds between two checkpoints */
  readonly every: number;
  /** whether what would be a warning is a failure */
  readonly strict: boolean;
  readonly threads: Threads;
}

async function newRun(
  subject: string | undefined,
  options: TrainCommandOptions,
  lock: RunLock,
): Promise<Run> {
  if (subject === undefined) throw new UsageError("Name an experiment or a CSV file, or --resume a run.");
  const { settings, sources, inputs, notes, name } = await settingsFor(subject, options);
  return {
    settings,
    sources,
    notes,
    parameters: initOf(settings, inputs.get(settings.init ?? ""), options.init),
    checkpoint: null,
    async begin(decided) {
      const folder = options.out ?? (await freshFolder(name));
      await lock.take(folder);
      return { folder, undo: await beginRun(folder, decided, inputs, options.overwrite ?? false) };
    },
  };
}

/** Goes on with a run, in its folder or in a copy of it; only the number of updates may change. */
async function resumedRun(
  from: string,
  subject: string | undefined,
  options: TrainCommandOptions,
  lock: RunLock,
): Promise<Run> {
  const { out = from } = options;
  const inPlace = resolve(out) === resolve(from);
  if (inPlace) {
    await checkHoldsRun(from);
    // before anything is read: who has the folder may be about to change it
    await lock.take(from);
  }
  const { settings: before, sources } = await openRun(from);
  await checkUnchanged({ folder: from, settings: before, sources }, subject, options);
  const checkpoint = await loadCheckpoint(from);
  const done = checkpoint?.step ?? 0;
  const { steps = Math.max(before.steps, done) } = options;
  if (steps < done) {
    throw new UsageError(
      `The run ${from} has ${done} updates already, so --steps ${steps} cannot be its number in all.`,
    );
  }
  const settings = { ...before, steps };
  return {
    settings,
    sources,
    notes: [],
    parameters: initOf(settings, (await readInit(from, settings)) ?? undefined, from),
    checkpoint,
    async begin() {
      if (inPlace) {
        await clearRun(
          from,
          [settings.dataFile, settings.init].filter((name) => name !== null),
        );
        await writeSettings(from, settings);
        return { folder: from, undo: async () => {} };
      }
      await lock.take(out);
      const inputs = await readInputs(from, settings);
      const undo = await beginRun(out, settings, inputs, options.overwrite ?? false);
      if (checkpoint !== null) await saveCheckpoint(out, checkpoint);
      return { folder: out, undo };
    },
  };
}

function initOf(
  { dtype }: RunSettings,
  bytes: Uint8Array | string | undefined,
  source: string | undefined,
): Tensors | null {
  return bytes instanceof Uint8Array ? decodeParameters(bytes, source ?? "--init", dtype) : null;
}

/** What the choice of a run's gradient depends on. */
function taskOf({ ode, data, control }: Problem, { memoryBudget }: RunSettings): GradientTask {
  return gradientTask(ode, data, {
    control: control ?? undefined,
    memoryBudget: memoryBudget ?? undefined,
  });
}

/**
 * What a run starts with must fit its field, and the field a file: said before anything is written.
 *
 * @throws {FieldFileError} for a field that could not be saved
 * @throws {ParameterError} for initial parameters of another field
 * @throws {RunFolderError} for a checkpoint of another run
 */
function checkStart({ ode }: Problem, { parameters, checkpoint }: Run): void {
  checkFieldFile(ode);
  if (parameters !== null) checkParameters(ode.field, parameters, ode);
  if (checkpoint !== null) checkCheckpoint(ode, checkpoint);
}

/** Trains. What was done before a failure is kept. */
async function fitRun(
  problem: Problem,
  { settings, parameters, checkpoint: start }: Run,
  runtime: Runtime,
  console: Console,
  { folder, undo, say, every, strict, threads }: Place,
): Promise<TrainResult> {
  const bar = progress({ stream: console.bar, total: settings.steps, label: "training" });
  let saved = performance.now();
  let latest: UpdateReport["checkpoint"] | null = null;
  try {
    return await train(problem.ode, problem.data, {
      ...{ runtime, threads },
      loss: problem.loss,
      optimiser: problem.optimiser,
      schedule: problem.schedule,
      steps: settings.steps,
      gradient: settings.gradient as GradientRequest,
      ...(settings.chosen.includes("coupling") ? { coupling: "auto" as const } : {}),
      strict,
      onNote: ({ message }) => bar.log(printable(message)),
      ...(problem.control === null ? {} : { control: problem.control }),
      seed: settings.seed,
      trainY0: settings.trainY0,
      ...(parameters === null ? {} : { parameters }),
      ...(start === null ? {} : { resume: start }),
      ...(settings.clip === null ? {} : { clip: settings.clip }),
      ...(settings.patience === null ? {} : { patience: settings.patience }),
      signal: console.stopSignal(),
      async onUpdate({ step, loss, checkpoint }) {
        bar.update(step, { loss });
        latest = checkpoint;
        if (performance.now() - saved < 1000 * every) return;
        await saveCheckpoint(folder, await checkpoint());
        saved = performance.now();
      },
    });
  } catch (error) {
    bar.finish();
    const reached = await (latest as UpdateReport["checkpoint"] | null)?.().catch(() => undefined);
    if (reached !== undefined) {
      const kept = await saveFailure(folder, asTrained(problem, reached.scheme?.coupling), reached).then(
        () => true,
        () => false,
      );
      if (kept)
        say(`Update ${reached.step + 1} failed. The ${reached.step} before it are kept in ${folder}.`);
    } else if (exitCodeOf(error) === exitCodes.wrongRequest) await undo();
    throw error;
  } finally {
    bar.finish();
  }
}
