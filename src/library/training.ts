import { checkOptions, OptionError, showValue } from "../core/options.js";
import { castTensor, ShapeError, showShape, type Tensor } from "../core/tensor.js";
import { stateOf } from "../fields/field.js";
import { type ArrayShapes, type Each, isRecordField } from "../fields/record-field.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkParameters, checkState, ownSteps } from "../integrate/solve.js";
import { type Loss, losses, mse } from "../learning/losses.js";
import { type Optimiser, optimisers } from "../learning/optimisers.js";
import type { Schedule } from "../learning/schedules.js";
import { checkTimes, TimeError } from "../programs/grid.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Threads } from "../runtime/threads.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type * as strict from "../train/data.js";
import type { FitCheckOptions as StrictFitCheckOptions } from "../train/fit-check.js";
import type { TrainOptions as StrictTrainOptions } from "../train/train.js";
import { type ParametersLike, parametersOf } from "./equation.js";
import {
  type ObservationsLike,
  type TensorLike,
  type TimesLike,
  tensorOf,
  timeOf,
  timesOf,
} from "./given.js";
import { type EachLike, joined } from "./records.js";
import { checkControl, equationNames, withoutEquation } from "./solving.js";
import type { Asked } from "./threads.js";

// What `train` takes, and how it becomes what the training loop takes.

/** Observed trajectories: N of them at the same times. */
export interface Trajectories {
  readonly t0: number;
  /** times of the observations, from t0 on, in order */
  readonly times: TimesLike;
  /** initial states, [N, …], or of one trajectory without its axis; a record of arrays for a field on one */
  readonly y0: TensorLike | EachLike<ArrayShapes>;
  /**
   * observations, [times, N, …], or of one trajectory without its axis; NaN (in arrays also `null`) where there is none; a
   * record of arrays for a field on one
   */
  readonly observations: ObservationsLike | Each<ArrayShapes, ObservationsLike>;
}

/** What {@link train} takes beside the data. */
export interface TrainOptions
  extends Omit<StrictTrainOptions, "runtime" | "threads" | "parameters" | "loss" | "optimiser"> {
  /** where graphs run; in Node jit or ort-cpu by the size of each graph, in a browser jit, unless one is given */
  readonly runtime?: Runtime;
  /**
   * most threads that take parts of the batch, started where updates take long enough: "auto" by default, one for each core
   * in Node. Numbers do not depend on it.
   */
  readonly threads?: Asked;
  /** mse by default */
  readonly loss?: Loss | keyof typeof losses;
  /** adamw by default */
  readonly optimiser?: Optimiser | keyof typeof optimisers;
  /** θ before the first update; drawn from the seed where not given */
  readonly parameters?: ParametersLike;
}

/** What {@link checkFit} takes beside the data. */
export interface FitCheckOptions
  extends Omit<StrictFitCheckOptions, "runtime" | "loss" | "parameters" | "y0"> {
  /** where graphs run; in Node jit or ort-cpu by the size of each graph, in a browser jit, unless one is given */
  readonly runtime?: Runtime;
  /** mse by default */
  readonly loss?: Loss | keyof typeof losses;
  /** what was trained */
  readonly parameters: ParametersLike;
  /** initial states, where they were trained as well */
  readonly y0?: TensorLike;
}

const fitCheckNames = {
  ...{ runtime: true, loss: true, parameters: true, y0: true, control: true },
} satisfies Record<keyof FitCheckOptions, true>;

const trainNames = {
  ...{
    runtime: true,
    helpers: true,
    threads: true,
    loss: true,
    optimiser: true,
    schedule: true,
    steps: true,
    gradient: true,
  },
  ...{
    control: true,
    seed: true,
    parameters: true,
    trainY0: true,
    batchSize: true,
    clip: true,
    patience: true,
  },
  ...{ onUpdate: true, signal: true, updatesPerRun: true, resume: true, check: true },
  ...{ parts: true, memoryBudget: true, coupling: true, strict: true, onNote: true },
} satisfies Record<keyof TrainOptions, true>;

const toOptimiser = "it belongs to the optimiser, adamw({ learningRate: 1e-3 })";
const toEquation =
  "it belongs to the equation, neuralOde({ field, method, stepSize }), or beside a bare field";
const elsewhere = {
  ...{ learningRate: toOptimiser, lr: toOptimiser, weightDecay: toOptimiser },
  ...{ epochs: "the number of updates is steps", iterations: "the number of updates is steps" },
  ...{ updates: "the number of updates is steps", maxIterations: "the number of updates is steps" },
  ...{ optimizer: "spelled optimiser", adjoint: "say gradient", callback: "say onUpdate" },
  ...{ method: toEquation, solver: toEquation, stepSize: toEquation, dtype: toEquation },
};

const dataNames = { t0: true, times: true, y0: true, observations: true } satisfies Record<
  keyof Trajectories,
  true
>;
const aboutData = {
  ...{
    ts: "say times",
    t: "say times",
    ys: "say observations",
    y: "say observations",
    data: "say observations",
  },
  ...{ targets: "say observations", target: "say observations" },
  args: "data of samples are for solve, gradientOf, and odeSolve in a model that fit trains",
};

/** @throws {OptionError} for what makes no sense, by name */
export function checkTrainOptions(given: unknown, isBare: boolean): void {
  checkOptions("train", given, isBare ? { ...trainNames, ...equationNames } : trainNames, elsewhere);
  const { steps, control, schedule, resume } = given as Partial<TrainOptions>;
  checkSchedule(schedule);
  checkResume(resume);
  if (steps === undefined) throw new OptionError("train needs the number of updates, steps: 1000.");
  checkControl("train", control);
}

/** The options of a training, as its loop takes them. */
export function trainOptionsOf(
  ode: NeuralOde,
  options: TrainOptions,
  runtime: Runtime,
  threads: Threads,
): StrictTrainOptions {
  const { parameters, loss, optimiser, control, seed = 0, threads: _, ...rest } = options;
  const steps = control ?? (ode.stepSize < Number.POSITIVE_INFINITY ? undefined : ownSteps(ode));
  return {
    ...withoutEquation(rest),
    ...{ runtime, threads, seed },
    ...(loss === undefined ? {} : { loss: lossOf(loss) }),
    ...(optimiser === undefined ? {} : { optimiser: optimiserOf(optimiser) }),
    ...(steps === undefined ? {} : { control: steps }),
    ...(parameters === undefined ? {} : { parameters: parametersOf(ode, parameters, seed) }),
  };
}

/** The options of a check, as it is made. @throws {OptionError} for what makes no sense, by name */
export function fitCheckOptionsOf(
  ode: NeuralOde,
  options: FitCheckOptions,
  runtime: Runtime,
): StrictFitCheckOptions {
  const { parameters, loss = mse(), y0, control } = options;
  const steps = control ?? (ode.stepSize < Number.POSITIVE_INFINITY ? undefined : ownSteps(ode));
  return {
    runtime,
    loss: lossOf(loss),
    parameters: checkParameters(ode.field, parametersOf(ode, parameters, 0), ode),
    ...(y0 === undefined ? {} : { y0: checkState(ode, tensorOf("y0", y0, ode.dtype)) }),
    ...(steps === undefined ? {} : { control: steps }),
  };
}

/** @throws {OptionError} for what makes no sense, by name */
export function checkFitCheckOptions(given: unknown): void {
  checkOptions("checkFit", given, fitCheckNames);
  const { parameters, control } = given as Partial<FitCheckOptions>;
  if (parameters === undefined) throw new OptionError("checkFit needs the parameters that were trained.");
  checkControl("checkFit", control);
}

/**
 * Trajectories as training takes them: an axis that one trajectory came without is there.
 *
 * @throws {OptionError | TimeError | ShapeError} for what makes no sense, by name
 */
export function trajectoriesOf(ode: NeuralOde, given: Trajectories): strict.Trajectories {
  checkOptions("The data", given, dataNames, aboutData);
  for (const name of Object.keys(dataNames) as (keyof Trajectories)[]) {
    if (given[name] === undefined)
      throw new OptionError(`The data need ${name}: { ${Object.keys(dataNames).join(", ")} }.`);
  }
  const t0 = timeOf("t0", given.t0);
  const times = timesOf("times", given.times);
  checkOrder(t0, times);
  const { field, dtype } = ode;
  if (isRecordField(field)) {
    const y0 = joined("y0", field.arrays, given.y0, dtype);
    const observations = joined("observations", field.arrays, given.observations, dtype, 2, true);
    return { t0, times, y0, observations: withTrajectories(observations, [times.length, ...y0.shape]) };
  }
  const y0 = castTensor(stateOf(field, tensorOf("y0", given.y0, dtype)), dtype);
  const observations = tensorOf("observations", given.observations, dtype, true);
  return { t0, times, y0, observations: withTrajectories(observations, [times.length, ...y0.shape]) };
}

/** Sorted times are the user's to make: the observations have to be sorted with them. */
function checkOrder(t0: number, times: readonly number[]): void {
  try {
    checkTimes(t0, times);
  } catch (cause) {
    if (!(cause instanceof TimeError)) throw cause;
    throw new TimeError(
      `The times of the observations must be finite and go one way from t0 = ${t0}, each once; sort them together ` +
        `with the observations. ${cause.message}`,
      { cause },
    );
  }
}

/** @throws {ShapeError} unless the observations are of one trajectory or of all */
function withTrajectories(observations: Tensor, expected: readonly number[]): Tensor {
  const { shape } = observations;
  if (shape.join() === expected.join()) return observations;
  const [times, count, ...state] = expected;
  if (count === 1 && shape.join() === [times, ...state].join())
    return { ...observations, shape: [...expected] };
  // a single component is often written without its axis
  const bare = state.length === 1 && state[0] === 1;
  if (bare && shape.join() === (count === 1 ? [times] : [times, count]).join()) {
    return { ...observations, shape: [...expected] };
  }
  const swapped = shape.join() === [count, times, ...state].join();
  throw new ShapeError(
    `The observations of ${count} ${count === 1 ? "trajectory" : "trajectories"} at ${times} times must have the shape ` +
      `${showShape(expected)}, [times, trajectories, components], but have ${showShape(shape)}.` +
      (swapped ? " Swap the first two axes." : ""),
  );
}

/** @throws {OptionError} for what is no schedule: its length is not known from a name */
export function checkSchedule(schedule: unknown): void {
  if (schedule === undefined) return;
  if (typeof (schedule as Partial<Schedule> | null)?.factor === "function") return;
  const isName = typeof schedule === "string" && /^[a-z]+$/i.test(schedule);
  throw new OptionError(
    "The schedule is what such a function returns: cosine({ steps: 1000 }), constant(), " +
      `stepDecay({ every: 100 }), exponentialDecay({ gamma: 0.99 }) or plateau(), but ` +
      `${isName ? `the name "${schedule}"` : showValue(schedule)} was given.`,
  );
}

/** @throws {OptionError} for what is no checkpoint */
export function checkResume(resume: unknown): void {
  if (resume === undefined) return;
  const checkpoint = (resume ?? {}) as Readonly<Record<keyof Checkpoint, unknown>>;
  const isRecord = (part: unknown) => typeof part === "object" && part !== null;
  const { trained, memory, sampler, best, losses, step } = checkpoint;
  if ([trained, memory, sampler, best, losses].every(isRecord) && typeof step === "number") return;
  throw new OptionError(
    "resume goes on from a checkpoint: that of a result, resume: result.checkpoint, or what decodeCheckpoint returns, but " +
      `${showValue(resume)} was given.`,
  );
}

/** A loss, or the one of a name. */
export function lossOf(loss: Loss | keyof typeof losses): Loss {
  return named(
    "loss",
    loss,
    losses,
    (value) => typeof value === "object" && value !== null && "apply" in value,
  );
}

/** An optimiser, or the one of a name. */
export function optimiserOf(optimiser: Optimiser | keyof typeof optimisers): Optimiser {
  return named(
    "optimiser",
    optimiser,
    optimisers,
    (value) => typeof value === "object" && value !== null && "update" in value,
  );
}

function named<T>(
  what: string,
  given: T | string,
  known: Readonly<Record<string, () => T>>,
  accept: (value: unknown) => boolean,
): T {
  if (typeof given === "string" && Object.hasOwn(known, given)) return known[given]!();
  if (accept(given)) return given as T;
  const call = typeof given === "function" ? ` Call it: ${given.name}().` : "";
  throw new OptionError(
    `The ${what} is one of ${Object.keys(known)
      .map((name) => `"${name}"`)
      .join(", ")}, or what such a function returns, but ${showValue(given)} was given.${call}`,
  );
}
