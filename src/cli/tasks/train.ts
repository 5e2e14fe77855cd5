import { basename, resolve } from "node:path";
import { printableJson } from "../../core/printable.js";
import { encodeCheckpoint } from "../../deploy/checkpoint-file.js";
import type { PreparedTask, TaskExperiment, TrainedTask } from "../../experiments/task-experiment.js";
import { taskExperiments } from "../../experiments/tasks.js";
import { type FitResult, fit } from "../../models/fit.js";
import { evaluate } from "../../models/measuring.js";
import { renderChart } from "../../plot/chart.js";
import type { Runtime } from "../../runtime/runtime.js";
import { readBytes } from "../../storage/read.js";
import { encodeSafetensors } from "../../storage/safetensors.js";
import type { Checkpoint } from "../../train/checkpoint.js";
import type { Console } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { progress } from "../progress.js";
import { runFiles, writeRunFile } from "../run-files.js";
import { checkHoldsRun, freshFolder } from "../run-folder.js";
import { copyNames } from "../run-inputs.js";
import { type RunLock, runLock } from "../run-lock.js";
import { explainOnce, openRuntime } from "../runtimes.js";
import { UsageError } from "../usage.js";
import { beginTaskRun, openTaskRun, writeTaskSettings } from "./folder.js";
import { lossChart, reportOf, summary, type TaskReport } from "./report.js";
import {
  checkOptions,
  checkUnchanged,
  methodOf,
  optimiserOf,
  settingsFor,
  type TaskOptions,
  type TaskSettings,
} from "./settings.js";

/** The task experiment of a name, where there is one. */
export function taskNamed(name: string | undefined): TaskExperiment | null {
  return taskExperiments.find((experiment) => experiment.name === name) ?? null;
}

/**
 * `revort train NAME` for an experiment whose model is more than a field: trains, shows progress, and leaves a run folder
 * behind that can be looked at, deployed and resumed.
 *
 * @returns the exit code
 */
export async function taskTrainCommand(
  subject: string | undefined,
  options: TaskOptions,
  console: Console,
): Promise<number> {
  const lock = runLock(console);
  try {
    const run =
      options.resume === undefined
        ? await newRun(taskNamed(subject)!, options, lock)
        : await resumedRun(options.resume, subject, options, lock);
    const report = await trainRun(run, options, console);
    if (options.json) console.json(report);
    else console.stdout.write(`${summary(run.experiment, report)}\n`);
    if (report.stopped !== "aborted") return exitCodes.done;
    console.note(`Stopped after update ${report.steps}. Continue with: revort train --resume ${report.out}`);
    return exitCodes.interrupted;
  } finally {
    await lock.release();
  }
}

/** A run about to be trained. */
interface Run {
  readonly experiment: TaskExperiment;
  readonly settings: TaskSettings;
  readonly data: readonly Uint8Array[];
  readonly checkpoint: Checkpoint | null;
  /** makes sure of its folder */
  readonly begin: () => Promise<string>;
}

/** The files given with --data. @throws {UsageError} unless they are those that the experiment takes */
function dataPaths({ name, data }: TaskExperiment, options: TaskOptions): string[] {
  const paths = options.data?.split(",") ?? [];
  if (paths.length > 0 && data === null) {
    throw new UsageError(`The experiment ${name} has its own data; leave out --data.`);
  }
  if (paths.length === (data?.files ?? 0) || (paths.length === 0 && !data!.needed)) return paths;
  const flag = `--data ${Array(data!.files).fill("FILE").join(",")}`;
  throw new UsageError(`The experiment ${name} ${data!.needed ? "needs" : "takes"} ${flag}: ${data!.what}.`);
}

async function newRun(experiment: TaskExperiment, options: TaskOptions, lock: RunLock): Promise<Run> {
  const { name } = experiment;
  checkOptions(name, options);
  const paths = dataPaths(experiment, options);
  const data = await Promise.all(paths.map((path) => readBytes(path)));
  const settings = settingsFor(experiment, options, paths.map(copyNames.data));
  return {
    ...{ experiment, settings, data, checkpoint: null },
    async begin() {
      const folder = options.out ?? (await freshFolder(name));
      await lock.take(folder);
      await beginTaskRun(folder, settings, data, options.overwrite ?? false);
      return folder;
    },
  };
}

/** Goes on with a run, in its folder or in a copy of it; only the number of updates may change. */
async function resumedRun(
  from: string,
  subject: string | undefined,
  options: TaskOptions,
  lock: RunLock,
): Promise<Run> {
  const { out = from } = options;
  const inPlace = resolve(out) === resolve(from);
  if (inPlace) {
    await checkHoldsRun(from);
    await lock.take(from);
  }
  const { settings: before, data, checkpoint } = await openTaskRun(from);
  const experiment = taskNamed(before.experiment);
  if (experiment === null)
    throw new UsageError(`The run ${from} is of the experiment ${before.experiment}, which there is not.`);
  if (subject !== undefined && subject !== before.experiment) {
    throw new UsageError(`The run ${from} trains ${before.experiment}; leave out ${subject}.`);
  }
  checkUnchanged(from, before, options);
  const done = checkpoint?.step ?? 0;
  const { steps = Math.max(before.steps, done) } = options;
  if (steps < done) {
    throw new UsageError(
      `The run ${from} has ${done} updates already, so --steps ${steps} cannot be its number in all.`,
    );
  }
  const settings = { ...before, steps };
  return {
    ...{ experiment, settings, data, checkpoint },
    async begin() {
      if (inPlace) {
        await writeTaskSettings(from, settings);
        return from;
      }
      await lock.take(out);
      await beginTaskRun(out, settings, data, options.overwrite ?? false);
      if (checkpoint !== null) await writeRunFile(out, runFiles.checkpoint, encodeCheckpoint(checkpoint));
      return out;
    },
  };
}

async function trainRun(
  run: Run,
  { checkpointEvery = 15 }: TaskOptions,
  console: Console,
): Promise<TaskReport> {
  const { experiment, settings, data } = run;
  const say = console.note;
  say(`${experiment.name}: ${experiment.about}`);
  const runtime = await openRuntime(settings.runtime, { say, explain: explainOnce(say, ["updates"]) });
  const prepared = await experiment.prepare({
    method: methodOf(settings),
    protocol: { ...settings, gradient: settings.gradient as TaskExperiment["protocol"]["gradient"] },
    seed: settings.seed,
    files: data.map((bytes, i) => ({ name: basename(settings.dataFiles[i]!).replace(/^data-/, ""), bytes })),
  });
  const folder = await run.begin();
  const { result, reconstructionError } = await fitted(
    run,
    prepared,
    runtime,
    folder,
    console,
    checkpointEvery,
  );
  const trained: TrainedTask = { runtime, dtype: settings.dtype, ...result.best };
  const measure = (of: PreparedTask["training"]) => evaluate(prepared.task, of, trained);
  const report = reportOf({
    ...{ settings, prepared, result, reconstructionError, out: folder },
    training: await measure(prepared.training),
    test: prepared.test && (await measure(prepared.test)),
    findings: (await prepared.findings?.(trained)) ?? {},
  });
  await saveResult(folder, settings, prepared, trained, result, report);
  return report;
}

/** Trains, and keeps what was reached every so many seconds, and where it fails. */
async function fitted(
  { settings, checkpoint }: Run,
  { task, training, validation, optimiser = (asked) => asked }: PreparedTask,
  runtime: Runtime,
  folder: string,
  console: Console,
  every: number,
): Promise<{ readonly result: FitResult; readonly reconstructionError: number | null }> {
  const bar = progress({ stream: console.bar, total: settings.steps, label: "training" });
  let saved = performance.now();
  let reconstructionError: number | null = null;
  let latest: (() => Promise<Checkpoint>) | null = null;
  const save = async (reached: Checkpoint) =>
    writeRunFile(folder, runFiles.checkpoint, encodeCheckpoint(reached));
  const { steps, batchSize, dtype, seed, clip, validateEvery, patience, gradient } = settings;
  try {
    const samples = Object.values(training)[0]!.shape[0]!;
    const result = await fit(task, training, {
      ...{ runtime, steps, dtype, seed, batchSize: Math.min(batchSize ?? samples, samples) },
      optimiser: optimiser(optimiserOf(settings)),
      ...(clip === null ? {} : { clip }),
      ...(validation === null ? {} : { validation }),
      ...(validation === null || validateEvery === null ? {} : { validateEvery }),
      ...(patience === null ? {} : { patience }),
      ...(checkpoint === null ? {} : { resume: checkpoint }),
      signal: console.stopSignal(),
      async onUpdate(update) {
        bar.update(update.step, { loss: update.loss });
        latest = update.checkpoint;
        if (update.reconstructionError !== null) {
          reconstructionError = Math.max(reconstructionError ?? 0, update.reconstructionError);
        }
        if (performance.now() - saved < 1000 * every) return;
        await save(await update.checkpoint());
        saved = performance.now();
      },
      onValidation: ({ step, loss }) =>
        bar.log(`after update ${step}: validation loss ${loss.toPrecision(6)}`),
    });
    return { result, reconstructionError: gradient.startsWith("reversible") ? reconstructionError : null };
  } catch (error) {
    const reached = await (latest as (() => Promise<Checkpoint>) | null)?.().catch(() => undefined);
    if (reached !== undefined) {
      await save(reached).then(
        () =>
          console.note(
            `Update ${reached.step + 1} failed. The ${reached.step} before it are kept in ${folder}.`,
          ),
        () => undefined,
      );
    }
    throw error;
  } finally {
    bar.finish();
  }
}

/** Writes everything that a run leaves behind. */
async function saveResult(
  folder: string,
  settings: TaskSettings,
  prepared: PreparedTask,
  trained: TrainedTask,
  { checkpoint }: FitResult,
  report: TaskReport,
): Promise<void> {
  await writeRunFile(folder, runFiles.checkpoint, encodeCheckpoint(checkpoint));
  await writeRunFile(
    folder,
    runFiles.parameters,
    encodeSafetensors({ ...trained.parameters, ...trained.buffers }),
  );
  const rows = report.losses.map((loss, update) => `${update},${loss}\n`);
  await writeRunFile(folder, runFiles.losses, `update,loss\n${rows.join("")}`);
  await writeRunFile(folder, runFiles.result, `${printableJson(report, 2)}\n`);
  const exported = prepared.files(trained);
  const charts = { losses: lossChart(report), ...(await prepared.charts?.(trained)) };
  // named first, so that --overwrite finds them all
  const names = Object.keys(charts).flatMap((name) => [`${name}.svg`, `${name}.png`]);
  await writeTaskSettings(folder, settings, [...Object.keys(exported), ...names]);
  for (const [name, bytes] of Object.entries(exported)) await writeRunFile(folder, name, bytes);
  for (const [name, chart] of Object.entries(charts)) {
    const { svg, png } = await renderChart(chart);
    await writeRunFile(folder, `${name}.svg`, svg);
    await writeRunFile(folder, `${name}.png`, png);
  }
}
