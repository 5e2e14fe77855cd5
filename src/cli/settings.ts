import { existsSync } from "node:fs";
import { basename } from "node:path";
import { castTensor, type FloatDType, isFloat } from "../core/tensor.js";
import { loadModel } from "../deploy/load-model.js";
import { experiments } from "../experiments/all.js";
import { steadyNotes, takenForTime } from "../experiments/doubtful-columns.js";
import type { Protocol } from "../experiments/experiment.js";
import { timescaleIn, usualWidths, warmLearningRateIn } from "../experiments/own-data.js";
import type { Stage } from "../experiments/series/warm-start.js";
import { usualStages } from "../experiments/series/warm-start.js";
import type { Tensors } from "../fields/field.js";
import { importedField } from "../fields/imported.js";
import { parseGradientRequest } from "../gradients/method.js";
import { optimisers } from "../learning/optimisers.js";
import { isReversible } from "../methods/method.js";
import { methodNamed } from "../methods/named.js";
import { adjointFor } from "../programs/adjoints.js";
import { parseTimeSeries, type TimeSeries } from "../storage/csv.js";
import { isOneOf, unusedNote } from "../storage/missing-values.js";
import { readBytes, readText } from "../storage/read.js";
import { decodeSafetensors, SafetensorsError } from "../storage/safetensors.js";
import { otherTime } from "../storage/time-name.js";
import { type ControlOptions, controlOf, isAdaptive } from "./control-options.js";
import { chosenParameters, isEquations, refuseParameters } from "./equations.js";
import { type FieldOptions, fieldSettings, importOptions } from "./field-options.js";
import { experimentNamed, type Sources, subjectOf } from "./problem.js";
import { copyNames, modelInputs, type RunInputs } from "./run-inputs.js";
import { isModelFile, type RunSettings, runSettings } from "./run-settings.js";
import { type RuntimeName, usualRuntime } from "./runtimes.js";
import { UsageError } from "./usage.js";
import { parseStages } from "./warm-start-option.js";

/** Options of the commands that train or check gradients, as the command line has them. */
export interface ProblemOptions extends ControlOptions, FieldOptions {
  readonly data?: string;
  /** numbers of a file of data that stand for values that are missing */
  readonly missing?: readonly number[];
  readonly field?: string;
  /** of a field of equations */
  readonly parameter?: readonly string[];
  readonly activation?: RunSettings["activation"];
  readonly autonomous?: boolean;
  readonly solver?: string;
  readonly reversible?: boolean;
  /** as users type it, `checkpoint:8`, or `auto` */
  readonly gradient?: string;
  /** bytes that stored states may take where the gradient is chosen */
  readonly memoryBudget?: number;
  readonly coupling?: number | "auto";
  readonly dtype?: FloatDType;
  readonly runtime?: RuntimeName;
  readonly steps?: number;
  readonly optimiser?: NonNullable<RunSettings["optimiser"]>;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly schedule?: NonNullable<RunSettings["schedule"]>;
  readonly loss?: NonNullable<RunSettings["loss"]>;
  readonly clip?: number;
  readonly patience?: number;
  readonly trainY0?: boolean;
  readonly seed?: number;
  readonly init?: string;
  /** windows to fit to before all else: `8:400,24:300`, or `none` */
  readonly warmStart?: string;
}

/** What a command line asks for. */
export interface Request {
  readonly settings: RunSettings;
  readonly sources: Sources;
  readonly inputs: RunInputs;
  /** what its folder is called by default */
  readonly name: string;
  /** what was decided that nobody asked for */
  readonly notes: readonly string[];
}

/** Whether a subject means a file of data rather than an experiment. */
export function isDataFile(subject: string): boolean {
  if (experiments.some(({ name }) => name === subject)) return false;
  return /\.(csv|tsv|txt)$|[/\\]/i.test(subject) || existsSync(subject);
}

/**
 * The settings that a command line asks for, and the files they refer to.
 *
 * @throws {UsageError | DataError | StorageError | ModelError | …} for a request that makes no sense
 */
export async function settingsFor(subject: string, options: ProblemOptions): Promise<Request> {
  const isFile = isDataFile(subject);
  const dataPath = isFile ? subject : options.data;
  if (isFile && options.data !== undefined)
    throw new UsageError("Give either a data file or --data, not both.");
  if (!isFile) {
    experimentNamed(subject);
    if (options.missing !== undefined) throw new UsageError(`--missing is for files of data; leave it out.`);
  }
  const modelPath = options.field !== undefined && isModelFile(options.field) ? options.field : null;
  const sources: Sources = {
    data: dataPath === undefined ? null : { name: basename(dataPath), text: await readText(dataPath) },
    model: modelPath === null ? null : await loadModel(modelPath),
  };
  const inputs = new Map(modelPath === null ? [] : await modelInputs(modelPath));
  if (dataPath !== undefined) inputs.set(copyNames.data(dataPath), sources.data!.text);
  if (options.init !== undefined) inputs.set(copyNames.init, await readBytes(options.init));

  const fromFile = fieldSettings(options, modelPath !== null);
  const fieldName = fieldOf(options, isFile);
  const equations = isEquations(options.field) ? options.field : null;
  if (equations === null) refuseParameters(options.parameter);
  const of = { experiment: isFile ? null : subject, field: options.field ?? "default" };
  const fitsStart = isFile && equations !== null;
  const missing = [...(options.missing ?? [])];
  const { experiment, series } = subjectOf(
    { ...of, missing, trainY0: options.trainY0 ?? fitsStart },
    sources,
  );
  const isPerceptron = equations === null && modelPath === null;
  const trainY0 = options.trainY0 ?? (experiment.trainY0 || fitsStart);
  const { protocol } = experiment;
  const chosen =
    equations === null ? null : await chosenParameters(equations, options.parameter, experiment, series);
  const gradient = options.gradient ?? protocol.gradient;
  if (options.memoryBudget !== undefined && gradient !== "auto") {
    throw new UsageError(
      `--memory-budget is what --gradient auto chooses by, but the gradient is ${gradient}. Leave out one of the two, or say --gradient auto.`,
    );
  }
  controlOf(options);
  const solver = options.solver ?? protocol.solver;
  const warmStart = warmStartOf(series, isPerceptron, options, options.steps ?? protocol.steps);
  const settings: RunSettings = runSettings.parse({
    experiment: isFile ? null : subject,
    dataFile: dataPath === undefined ? null : copyNames.data(dataPath),
    missing,
    field: modelPath === null ? fieldName : copyNames.field(modelPath),
    parameters: chosen?.parameters ?? null,
    fromFile,
    init: options.init === undefined ? null : copyNames.init,
    activation: options.activation ?? "tanh",
    time: !(options.autonomous ?? false),
    timescale: isPerceptron && series !== null ? timescaleIn(series) : null,
    warmStart,
    solver,
    reversible: isCoupled(solver, gradient, options),
    coupling: typeof options.coupling === "number" ? options.coupling : protocol.coupling,
    gradient,
    chosen: [
      ...(gradient === "auto" ? (["gradient"] as const) : []),
      ...(options.coupling === "auto" ? (["coupling"] as const) : []),
    ],
    memoryBudget: options.memoryBudget ?? null,
    control: controlFor(options, protocol),
    stepSize: options.stepSize ?? protocol.stepSize,
    dtype:
      options.dtype ??
      (sources.model === null ? protocol.dtype : importedField(sources.model, importOptions(options)).dtype!),
    runtime: options.runtime ?? usualRuntime,
    steps: options.steps ?? protocol.steps,
    ...updateSettings(options, protocol),
    ...(warmStart.length === 0 || options.learningRate !== undefined || options.optimiser !== undefined
      ? {}
      : { learningRate: warmLearningRateIn(series!) }),
    schedule: options.schedule ?? null,
    clip: options.clip ?? null,
    patience: options.patience ?? null,
    trainY0,
    startY0: trainY0 ? (chosen?.y0 ?? null) : null,
    seed: options.seed ?? 0,
  } satisfies RunSettings);
  const notes = [
    ...(experiment.warnings ?? []).map(({ message }) => `Warning: ${message}`),
    ...unusedIn(sources.data, missing),
    ...(series === null ? [] : doubtsAbout(series)),
    ...(chosen === null ? [] : [chosen.note]),
  ];
  return { settings, sources, inputs, notes, name: experiment.name.replace(/\.[^.]*$/, "") };
}

/** What of --missing says nothing of a file. */
function unusedIn(data: Sources["data"], missing: readonly number[]): string[] {
  if (data === null || missing.length === 0) return [];
  const { values } = parseTimeSeries(data.text, { source: data.name });
  return unusedNote(missing, (one) => values.some((value) => isOneOf(value, [one])));
}

/** What is said of the columns of a series that are perhaps not what they are taken for. */
function doubtsAbout({ timeName, names, values, columns }: TimeSeries): string[] {
  const other = otherTime(timeName, names);
  const valuesOf = (column: number) => Array.from(values).filter((_, i) => i % columns === column);
  return [...(other === null ? [] : [takenForTime(timeName, other)]), ...steadyNotes(names, valuesOf)];
}

/** Windows to begin with: those asked for; else the usual ones, as far as a series is longer, of no more updates than the fit itself. */
function warmStartOf(
  series: TimeSeries | null,
  isPerceptron: boolean,
  { warmStart, init }: ProblemOptions,
  steps: number,
): Stage[] {
  if (warmStart !== undefined) {
    if (series === null || !isPerceptron) {
      throw new UsageError("--warm-start is for a perceptron on a file of data; leave it out.");
    }
    if (init !== undefined) throw new UsageError("Give either --init or --warm-start, not both.");
    return parseStages(warmStart);
  }
  if (series === null || !isPerceptron || init !== undefined) return [];
  const usual = usualStages([series.rows - 1]);
  const share = Math.min(1, steps / usual.reduce((sum, { updates }) => sum + updates, 0));
  return usual.flatMap(({ size, updates }) => {
    const own = Math.floor(share * updates);
    return own === 0 ? [] : [{ size, updates: own }];
  });
}

/** What updates are made with: what is asked for, and for the rest what the protocol has, or the optimiser itself. */
function updateSettings(
  { optimiser, learningRate, weightDecay, loss }: ProblemOptions,
  protocol: Protocol,
): Pick<RunSettings, "optimiser" | "learningRate" | "weightDecay" | "loss"> {
  const { name, settings } = optimiser === undefined ? protocol.optimiser({}) : optimisers[optimiser]();
  return {
    optimiser: name as keyof typeof optimisers,
    learningRate: learningRate ?? settings.learningRate!,
    weightDecay: weightDecay ?? settings.weightDecay ?? null,
    loss: loss ?? "mse",
  };
}

/** How steps are chosen: as is asked for, or by the protocol where nothing is asked for of steps. */
function controlFor(options: ProblemOptions, { control }: Protocol): ControlOptions | null {
  if (isAdaptive(options)) return controlSettings(options);
  const isAsked = options.stepSize !== undefined || options.controller !== undefined;
  return isAsked ? null : (control ?? null);
}

/** What of the options says how steps are chosen. */
function controlSettings({ controller, rtol, atol, dt0, dtmin, stepSize }: ControlOptions): ControlOptions {
  const given = Object.entries({ controller, rtol, atol, dt0, dtmin, stepSize });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/**
 * A reversible gradient needs a method that can be undone: the coupled one, unless the method is so by itself. Where the
 * gradient is left to revort, nothing is coupled unless that is asked for.
 *
 * @throws {UnknownSolverError}
 * @throws {SolverOptionError} for a coupling of a method that has none
 */
function isCoupled(solver: string, gradient: string, { reversible, coupling }: ProblemOptions): boolean {
  const plain = methodNamed(solver, {});
  if (isReversible(plain)) {
    if (coupling !== undefined) methodNamed(solver, { coupling: coupling === "auto" ? 0.999 : coupling });
    return false;
  }
  if (reversible === true || coupling !== undefined) return true;
  const request = parseGradientRequest(gradient);
  return request !== "auto" && adjointFor(request).undoes;
}

/**
 * Parameters from a safetensors file, in the dtype of the run.
 *
 * @throws {UsageError} if a tensor holds anything but finite real numbers
 * @throws {SafetensorsError} naming the file, if it is damaged
 */
export function decodeParameters(bytes: Uint8Array, source: string, dtype: FloatDType): Tensors {
  const { tensors } = decodeNamed(bytes, source);
  return Object.fromEntries(
    Object.entries(tensors).map(([name, value]) => {
      if (!isFloat(value.dtype)) {
        throw new UsageError(
          `${source}: the parameter "${name}" has the type ${value.dtype}, but parameters are float32 or float64.`,
        );
      }
      const cast = castTensor(value, dtype);
      if (cast.data.every(Number.isFinite)) return [name, cast];
      throw new UsageError(
        `${source}: the parameter "${name}" is not finite in ${dtype}. Give other parameters.`,
      );
    }),
  );
}

/**
 * The field as a run keeps it. That of a file of data is a perceptron, so --activation and --autonomous are for it as well.
 *
 * @throws {UsageError} for one of these beside a field that is no perceptron, or that of an experiment
 */
function fieldOf({ field, activation, autonomous }: ProblemOptions, isFile: boolean): string {
  if (field !== undefined) {
    const isForIt = isEquations(field) && /\bmlp\b/.test(field);
    const what = isEquations(field) ? "equations" : "the field of a file";
    if (autonomous !== undefined && !/^mlp:/.test(field)) {
      throw new UsageError(`--autonomous has no use beside ${what}; leave it out.`);
    }
    if (activation !== undefined && !isForIt && !/^mlp:/.test(field)) {
      throw new UsageError(`--activation has no use beside ${what}; leave it out.`);
    }
    return field;
  }
  if (activation === undefined && autonomous === undefined) return "default";
  if (isFile) return `mlp:${usualWidths.join(",")}`;
  throw new UsageError(
    `--${autonomous === undefined ? "activation" : "autonomous"} is for a perceptron, but the experiment has a field of its own. ` +
      "Leave it out, or say --field mlp:WIDTH,WIDTH.",
  );
}

function decodeNamed(bytes: Uint8Array, source: string) {
  try {
    return decodeSafetensors(bytes);
  } catch (cause) {
    if (!(cause instanceof SafetensorsError)) throw cause;
    throw new SafetensorsError(`${source}: ${cause.message}`, { cause });
  }
}
