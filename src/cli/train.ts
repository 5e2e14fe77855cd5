import { basename, join } from "node:path";
import { encodeField } from "../deploy/field-file.js";
import { castTensor, type FloatDType } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { importedField } from "../fields/imported.js";
import { isReversible } from "../methods/method.js";
import { methodNamed } from "../methods/named.js";
import type { GradientMethod } from "../programs/gradient.js";
import type { Runtime } from "../runtime/runtime.js";
import { readBytes, readText, writeAtomic } from "../storage/atomic.js";
import { decodeSafetensors, encodeSafetensors } from "../storage/safetensors.js";
import type { Checkpoint } from "../train/checkpoint.js";
import { train, type TrainResult } from "../train/train.js";
import { loadModel } from "../deploy/load-model.js";
import { type Console, table } from "./console.js";
import { exitCodes } from "./failure.js";
import { drawRun } from "./plots.js";
import { experimentNamed, type Problem, problemOf, type Sources, subjectOf } from "./problem.js";
import { progress } from "./progress.js";
import { beginRun, freshFolder, loadCheckpoint, openRun, runFiles, saveCheckpoint } from "./run-folder.js";
import { type RunSettings, runSettings } from "./run-settings.js";
import { openRuntime, type RuntimeName } from "./runtimes.js";
import { UsageError } from "./usage.js";

/** Options of the commands that train or check gradients, as the command line has them. */
export interface ProblemOptions {
  readonly data?: string;
  readonly field?: string;
  readonly activation?: RunSettings["activation"];
  readonly autonomous?: boolean;
  readonly solver?: string;
  readonly reversible?: boolean;
  readonly gradient?: GradientMethod;
  readonly coupling?: number;
  readonly stepSize?: number;
  readonly dtype?: FloatDType;
  readonly runtime?: RuntimeName;
  readonly steps?: number;
  readonly optimiser?: RunSettings["optimiser"];
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly loss?: RunSettings["loss"];
  readonly clip?: number;
  readonly patience?: number;
  readonly trainY0?: boolean;
  readonly seed?: number;
  readonly init?: string;
}

export interface TrainCommandOptions extends ProblemOptions {
  readonly resume?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** What `train --json` prints, and a run's `result.json` holds. */
export interface TrainReport {
  readonly experiment: string;
  readonly solver: string;
  readonly gradient: GradientMethod;
  readonly coupling: number | null;
  readonly runtime: RuntimeName;
  readonly dtype: FloatDType;
  readonly steps: number;
  readonly seed: number;
  readonly loss: { readonly first: number | null; readonly last: number | null; readonly min: number | null };
  readonly losses: readonly number[];
  readonly seconds: number;
  readonly secondsPerStep: number;
  readonly evaluations: number;
  readonly storedStates: number;
  readonly stopped: TrainResult["stopped"];
  /** the numbers a mechanistic field was fitted for: its scalar parameters */
  readonly fitted: Readonly<Record<string, number>>;
  readonly out: string;
}

/** The settings that a command line asks for, and what they refer to. */
export async function settingsFor(
  subject: string,
  options: ProblemOptions,
): Promise<{ settings: RunSettings; sources: Sources; name: string; modelBytes: Uint8Array | null }> {
  const isFile = /\.(csv|tsv|txt)$/i.test(subject) || subject.includes("/");
  const dataPath = isFile ? subject : options.data;
  if (isFile && options.data !== undefined) throw new UsageError("Give either a data file or --data, not both.");
  if (!isFile) experimentNamed(subject);
  const modelPath = options.field?.endsWith(".onnx") ? options.field : undefined;
  const sources: Sources = {
    data: dataPath === undefined ? null : { name: basename(dataPath), text: await readText(dataPath) },
    model: modelPath === undefined ? null : await loadModel(modelPath),
  };
  const { experiment } = subjectOf({ experiment: isFile ? null : subject }, sources);
  const { protocol } = experiment;
  const gradient = options.gradient ?? "reversible";
  const solver = options.solver ?? protocol.solver;
  // a reversible gradient needs a method that can be undone: the coupled one, unless the method is so by itself
  const plain = methodNamed(solver, {});
  const reversible = !isReversible(plain) && (gradient === "reversible" || (options.reversible ?? false));
  const settings: RunSettings = runSettings.parse({
    experiment: isFile ? null : subject,
    dataFile: dataPath === undefined ? null : `data-${basename(dataPath)}`,
    field: modelPath === undefined ? (options.field ?? "default") : "initial-field.onnx",
    activation: options.activation ?? "tanh",
    time: !(options.autonomous ?? false),
    solver,
    reversible,
    coupling: options.coupling ?? protocol.coupling,
    gradient,
    stepSize: options.stepSize ?? protocol.stepSize,
    dtype: options.dtype ?? (sources.model === null ? protocol.dtype : importedField(sources.model).dtype!),
    runtime: options.runtime ?? "ort-cpu",
    steps: options.steps ?? protocol.steps,
    optimiser: options.optimiser ?? null,
    learningRate: options.learningRate ?? null,
    weightDecay: options.weightDecay ?? null,
    loss: options.loss ?? null,
    clip: options.clip ?? null,
    patience: options.patience ?? null,
    trainY0: options.trainY0 ?? experiment.trainY0 ?? false,
    seed: options.seed ?? 0,
  } satisfies RunSettings);
  return {
    settings,
    sources,
    name: experiment.name.replace(/\.[^.]*$/, ""),
    modelBytes: modelPath === undefined ? null : await readBytes(modelPath),
  };
}

/** Parameters from a safetensors file, in the dtype of the run. */
export async function readParameters(path: string, dtype: FloatDType): Promise<Tensors> {
  const { tensors } = decodeSafetensors(await readBytes(path));
  return Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, castTensor(value, dtype)]));
}

/**
 * `revort train`: trains, shows progress, and leaves a run folder behind that can be looked at, exported and resumed.
 *
 * @returns the exit code
 */
export async function trainCommand(
  subject: string | undefined,
  options: TrainCommandOptions,
  console: Console,
): Promise<number> {
  const { problem, report, result } = await trainRun(subject, options, console);
  if (options.json) console.stdout.write(`${JSON.stringify(report)}\n`);
  else console.stdout.write(`${summary(problem, report)}\n`);
  if (result.stopped !== "aborted") return exitCodes.done;
  console.stderr.write(
    `Stopped after update ${report.steps}. Continue with: revort train --resume ${report.out}\n`,
  );
  return exitCodes.interrupted;
}

/** Trains a new run or goes on with one, and writes its folder. */
export async function trainRun(
  subject: string | undefined,
  options: TrainCommandOptions,
  console: Console,
): Promise<{ problem: Problem; report: TrainReport; result: TrainResult }> {
  const run = options.resume === undefined ? await startRun(subject, options) : await continueRun(subject, options);
  const runtime = await openRuntime(run.settings.runtime);
  const problem = await problemOf(run.settings, run.sources, runtime);
  console.stderr.write(`${problem.experiment.name}: ${problem.experiment.about}\n`);
  if (run.settings.trainY0 && options.trainY0 !== true && options.resume === undefined) {
    console.stderr.write("The first row has gaps, so the initial state is trained as well.\n");
  }
  await run.begin?.();
  const result = await fit(problem, run, runtime, console);
  const report = reportOf(problem, run.settings, result, run.folder);
  await finishRun(run.folder, problem, result, report, runtime);
  return { problem, report, result };
}

/** A run about to be trained. */
interface Run {
  readonly settings: RunSettings;
  readonly sources: Sources;
  readonly folder: string;
  readonly parameters: Tensors | null;
  readonly checkpoint: Checkpoint | null;
  /** writes what a new run starts with */
  readonly begin: (() => Promise<void>) | null;
}

async function startRun(subject: string | undefined, options: TrainCommandOptions): Promise<Run> {
  if (subject === undefined) throw new UsageError("Name an experiment or a CSV file, or --resume a run.");
  const { settings, sources, name, modelBytes } = await settingsFor(subject, options);
  const parameters = options.init === undefined ? null : await readParameters(options.init, settings.dtype);
  const folder = options.out ?? (await freshFolder(name));
  const files = { data: sources.data?.text ?? null, model: modelBytes };
  return {
    settings,
    sources,
    folder,
    parameters,
    checkpoint: null,
    begin: () => beginRun(folder, settings, files, options.overwrite ?? false),
  };
}

/** Goes on with a run; only the number of updates may change. */
async function continueRun(subject: string | undefined, options: TrainCommandOptions): Promise<Run> {
  const { resume, steps, json: _, ...others } = options;
  const [changed] = Object.keys(others);
  if (subject !== undefined || changed !== undefined) {
    throw new UsageError(
      `A resumed run keeps its settings, so ${subject ?? `--${changed}`} cannot be given with --resume; only --steps can.`,
    );
  }
  const folder = resume!;
  const { settings, sources } = await openRun(folder);
  const checkpoint = await loadCheckpoint(folder);
  return {
    settings: steps === undefined ? settings : { ...settings, steps },
    sources,
    folder,
    parameters: null,
    checkpoint,
    begin: null,
  };
}

/** How often a run is saved while it goes on, so that not even a power cut costs more. */
const secondsBetweenCheckpoints = 15;

async function fit(problem: Problem, run: Run, runtime: Runtime, console: Console): Promise<TrainResult> {
  const { settings } = run;
  const bar = progress({ stream: console.stderr, total: settings.steps, label: "training" });
  let saved = performance.now();
  try {
    return await train(problem.ode, problem.data, {
      runtime,
      loss: problem.loss,
      optimiser: problem.optimiser,
      schedule: problem.schedule,
      steps: settings.steps,
      gradient: settings.gradient,
      seed: settings.seed,
      trainY0: settings.trainY0,
      ...(run.parameters === null ? {} : { parameters: run.parameters }),
      ...(run.checkpoint === null ? {} : { resume: run.checkpoint }),
      ...(settings.clip === null ? {} : { clip: settings.clip }),
      ...(settings.patience === null ? {} : { patience: settings.patience }),
      signal: console.signal,
      async onUpdate({ step, loss, checkpoint }) {
        bar.update(step, { loss });
        if (performance.now() - saved > 1000 * secondsBetweenCheckpoints) {
          await saveCheckpoint(run.folder, await checkpoint());
          saved = performance.now();
        }
      },
    });
  } finally {
    bar.finish();
  }
}

function reportOf(problem: Problem, settings: RunSettings, result: TrainResult, out: string): TrainReport {
  const { losses, seconds } = result;
  const fitted = Object.entries(result.parameters).flatMap(([name, { shape, data }]) =>
    shape.length === 0 ? [[name, Number(data[0])] as const] : [],
  );
  return {
    experiment: problem.experiment.name,
    solver: settings.solver,
    gradient: settings.gradient,
    coupling: problem.ode.method.coupling,
    runtime: settings.runtime,
    dtype: settings.dtype,
    steps: result.checkpoint.step,
    seed: settings.seed,
    loss: {
      first: losses[0] ?? null,
      last: losses.at(-1) ?? null,
      min: losses.length === 0 ? null : losses.reduce((least, loss) => Math.min(least, loss)),
    },
    losses,
    seconds,
    secondsPerStep: losses.length === 0 ? 0 : seconds / losses.length,
    evaluations: result.evaluations,
    storedStates: result.storedStates,
    stopped: result.stopped,
    fitted: Object.fromEntries(fitted),
    out,
  };
}

/** Writes everything a run leaves behind. */
async function finishRun(
  folder: string,
  problem: Problem,
  result: TrainResult,
  report: TrainReport,
  runtime: Runtime,
): Promise<void> {
  const place = (name: string) => join(folder, name);
  const { experiment, ode } = problem;
  await saveCheckpoint(folder, result.checkpoint);
  await writeAtomic(place(runFiles.parameters), encodeSafetensors(result.parameters));
  await writeAtomic(place(runFiles.field), encodeRunField(problem, result.parameters));
  const rows = result.losses.map((loss, update) => `${update},${loss}`);
  await writeAtomic(place(runFiles.losses), `update,loss\n${rows.map((row) => `${row}\n`).join("")}`);
  await writeAtomic(place(runFiles.result), `${JSON.stringify(report, null, 2)}\n`);
  const charts = await drawRun({ experiment, ode, data: problem.data, result, runtime });
  for (const [name, { svg, png }] of Object.entries(charts)) {
    await writeAtomic(place(`${name}.svg`), svg);
    await writeAtomic(place(`${name}.png`), png);
  }
}

/** The trained field as the bytes of an `.onnx`. */
export function encodeRunField({ experiment, ode }: Pick<Problem, "experiment" | "ode">, parameters: Tensors): Uint8Array {
  return encodeField(ode, parameters, {
    units: { time: experiment.time.unit, state: experiment.unit },
    trainedOn: experiment.name,
  });
}

/** What people read at the end. */
function summary({ experiment }: Problem, report: TrainReport): string {
  const digits = (value: number | null) => (value === null ? "–" : value.toPrecision(6));
  const lines = [
    table([
      ["loss, first", digits(report.loss.first)],
      ["loss, last", digits(report.loss.last)],
      ["loss, lowest", digits(report.loss.min)],
      ["updates", String(report.steps)],
      ["time per update", `${(1000 * report.secondsPerStep).toFixed(1)} ms`],
      ["evaluations of the field per update", String(report.evaluations)],
      ["states stored for the backward pass", String(report.storedStates)],
    ]),
  ];
  for (const [name, value] of Object.entries(report.fitted)) {
    const known = experiment.published?.[name];
    lines.push(`${name} = ${value.toPrecision(6)}${known ? `   (published ${known.value}, ${known.source})` : ""}`);
  }
  lines.push(`Written to ${report.out}`);
  return lines.join("\n");
}
