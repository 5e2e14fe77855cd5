import type { Control } from "../control/control.js";
import { RevortError } from "../core/errors.js";
import { Random } from "../core/random.js";
import { scalar, type Tensor } from "../core/tensor.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { gridOfTimes } from "../gradients/differentiator.js";
import { type Differentiator, differentiator, type Fit, readScalar } from "../gradients/evaluate.js";
import type { GradientSpec } from "../gradients/method.js";
import { TrainingError, whyNotFinite } from "../gradients/training-error.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkParameters, checkState, named, upload } from "../integrate/solve.js";
import { type Loss, mse } from "../learning/losses.js";
import { adamw, type Optimiser } from "../learning/optimisers.js";
import { constant, type Schedule } from "../learning/schedules.js";
import { gridThrough } from "../programs/grid.js";
import {
  gradientName,
  gradientNormName,
  learningRateName,
  lossName,
  nextName,
  parameterName,
  updateCountName,
  y0Name,
} from "../programs/names.js";
import { updateProgram } from "../programs/training.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import { sampler } from "./batches.js";
import { type Checkpoint, emptyMemory } from "./checkpoint.js";
import { type Trajectories, takeTrajectories, targetsOf } from "./data.js";

export { TrainingError };

/** What is known after an update. */
export interface UpdateReport {
  /** updates done, from 1 */
  readonly step: number;
  /** loss before this update */
  readonly loss: number;
  /** ‖g‖ over everything trained, before clipping */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** time of this update */
  readonly seconds: number;
  /** The whole state of the run at this point; copies from the device, so ask for it only where it is needed. */
  readonly checkpoint: () => Promise<Checkpoint>;
}

export interface TrainOptions {
  readonly runtime: Runtime;
  readonly loss?: Loss;
  readonly optimiser?: Optimiser;
  readonly schedule?: Schedule;
  /** number of updates in all, those before a resumption included */
  readonly steps: number;
  /** "reversible" by default where the method can be undone */
  readonly gradient?: GradientSpec;
  /** how steps are chosen, anew for each update; by default all are as long as those of the equation */
  readonly control?: Control;
  /** of the initial parameters and the order of batches */
  readonly seed?: number;
  /** θ before the first update; drawn from the seed where not given */
  readonly parameters?: Tensors;
  /** whether the initial states are trained as well (only without mini-batches) */
  readonly trainY0?: boolean;
  /** trajectories per update; all of them by default */
  readonly batchSize?: number;
  /** largest ‖g‖; longer gradients are scaled down to it */
  readonly clip?: number;
  /** stop when the loss has not fallen for so many updates */
  readonly patience?: number;
  /** called after each update, and awaited */
  readonly onUpdate?: (report: UpdateReport) => void | Promise<void>;
  /** stops after the current update */
  readonly signal?: AbortSignal;
  /** goes on from here instead of starting anew */
  readonly resume?: Checkpoint;
}

export interface TrainResult {
  readonly parameters: Tensors;
  /** initial states, trained or given */
  readonly y0: Tensor;
  /** loss before each update */
  readonly losses: readonly number[];
  readonly seconds: number;
  /** evaluations of the field per update, forward and backward; of the last one, where steps are chosen */
  readonly evaluations: number;
  /** states kept for the backward pass */
  readonly storedStates: number;
  readonly stopped: "done" | "aborted" | "patience";
  readonly checkpoint: Checkpoint;
}

/**
 * Fits the parameters of an equation to trajectories.
 *
 * @throws {ShapeError | ParameterError | TimeError | TrainingDataError} for data or parameters that do not fit
 * @throws {DivergenceError} if a solve leaves the finite numbers, naming the update, step and time
 * @throws {TrainingError} if the loss or its gradient leaves them although the solve does not
 */
export async function train(ode: NeuralOde, data: Trajectories, options: TrainOptions): Promise<TrainResult> {
  const { runtime, steps, loss = mse(), optimiser = adamw(), schedule = constant(), seed = 0 } = options;
  const gradient = options.gradient ?? ("back" in ode.method ? "reversible" : "direct");
  const y0 = checkState(ode, data.y0);
  const { target, weight } = targetsOf({ ...data, y0 }, ode.dtype);
  const count = y0.shape[0]!;
  const batchSize = options.batchSize ?? count;
  const trainY0 = options.trainY0 ?? false;
  if (trainY0 && batchSize !== count) {
    throw new RevortError(
      "Initial states can be trained only on all trajectories at once: leave out the batch size.",
    );
  }
  checkNumbers(options);

  const grid = options.control
    ? gridOfTimes(data.t0, data.times)
    : gridThrough(data.t0, data.times, ode.stepSize);
  const fit: Fit = { grid, y0, target, weight };
  const batchOf = (which: readonly number[]): Fit =>
    which.length === count
      ? fit
      : {
          ...fit,
          y0: takeTrajectories(y0, 0, which),
          target: takeTrajectories(target, 1, which),
          weight: weight && takeTrajectories(weight, 1, which),
        };
  const batches = sampler(count, batchSize, options.resume?.sampler ?? seed);

  const start = options.resume;
  const parameters =
    (start && parametersOf(start.trained)) ??
    options.parameters ??
    initialParameters(ode.field, Random.seeded(seed), ode.dtype);
  const trainedAtStart: Tensors = {
    ...named(checkParameters(ode.field, parameters, ode)),
    ...(trainY0 ? { [y0Name]: start?.trained[y0Name] ?? y0 } : {}),
  };
  if (Object.keys(trainedAtStart).length === 0) {
    throw new RevortError(`The field "${ode.field.name}" has no parameters, so there is nothing to train.`);
  }

  const noMemory = emptyMemory(optimiser, trainedAtStart, ode.dtype);
  if (start && Object.keys(start.memory).sort().join() !== Object.keys(noMemory).sort().join()) {
    throw new RevortError(
      `The run to go on from was one of another optimiser than ${optimiser.name}, or trained other arrays. ` +
        "Give the optimiser and the settings that it was started with.",
    );
  }

  const compiled: Differentiator = await differentiator(ode, {
    runtime,
    loss,
    gradient,
    ...(options.control && { control: options.control }),
    fit: batchOf(Array.from({ length: batchSize }, (_, i) => i)),
  });
  const updater = await runtime.compile(
    updateProgram({
      optimiser,
      shapes: Object.fromEntries(Object.entries(trainedAtStart).map(([name, { shape }]) => [name, shape])),
      dtype: ode.dtype,
      clip: options.clip ?? null,
    }),
  );
  try {
    let trained = upload(runtime, trainedAtStart);
    let memory = upload(runtime, start?.memory ?? noMemory);
    const losses = [...(start?.losses ?? [])];
    let best = start?.best ?? { step: 0, loss: Number.POSITIVE_INFINITY, trained: trainedAtStart };
    let seconds = start?.seconds ?? 0;
    let step = start?.step ?? 0;
    let stopped: TrainResult["stopped"] = "done";
    const whole = compiled.fixed(fit);

    const checkpoint = async (): Promise<Checkpoint> => ({
      step,
      trained: await fetch(runtime, trained),
      memory: await fetch(runtime, memory),
      sampler: batches.state(),
      losses: [...losses],
      best,
      seconds,
    });

    while (step < steps) {
      if (options.signal?.aborted) {
        stopped = "aborted";
        break;
      }
      if (options.patience !== undefined && step - best.step > options.patience) {
        stopped = "patience";
        break;
      }
      const started = performance.now();
      const which = batches.next();
      const fixed = which.length === count ? whole : compiled.fixed(batchOf(which));
      const results = await compiled.run(trained, fixed);
      const value = await readScalar(runtime, results[lossName]!);
      if (!Number.isFinite(value)) {
        const failure = await whyNotFinite(value, compiled, trained, fixed);
        failure.message = `At update ${step + 1}: ${failure.message}`;
        throw failure;
      }
      const rate = optimiser.learningRate * schedule.factor(step);
      const updated = await updater.run({
        ...trained,
        ...memory,
        ...Object.fromEntries(
          Object.keys(trained).map((name) => [gradientName(name), results[gradientName(name)]!]),
        ),
        [learningRateName]: runtime.upload(scalar(ode.dtype, rate)),
        [updateCountName]: runtime.upload(scalar(ode.dtype, step + 1)),
      });
      const gradientNorm = await readScalar(runtime, updated[gradientNormName]!);
      if (!Number.isFinite(gradientNorm)) {
        throw new TrainingError(
          `The gradient is not finite at update ${step + 1} although the loss is (${value}). ` +
            "Reduce the step size, train in float64, or clip the gradient.",
        );
      }
      if (value < best.loss) best = { step, loss: value, trained: await fetch(runtime, trained) };
      losses.push(value);
      trained = nextOf(trained, updated);
      memory = nextOf(memory, updated);
      step += 1;
      const elapsed = (performance.now() - started) / 1000;
      seconds += elapsed;
      await options.onUpdate?.({
        step,
        loss: value,
        gradientNorm,
        learningRate: rate,
        seconds: elapsed,
        checkpoint,
      });
    }

    const end = await checkpoint();
    return {
      parameters: parametersOf(end.trained),
      y0: end.trained[y0Name] ?? y0,
      losses,
      seconds,
      evaluations: compiled.cost.evaluations,
      storedStates: compiled.cost.storedStates,
      stopped,
      checkpoint: end,
    };
  } finally {
    await compiled.release();
    await updater.release();
  }
}

/** @throws {RevortError} naming the option that is out of range */
function checkNumbers({ steps, clip, patience }: TrainOptions): void {
  if (!Number.isInteger(steps) || steps < 0) {
    throw new RevortError(`The number of updates must be a whole number, but ${steps} was given.`);
  }
  if (clip !== undefined && !(clip > 0)) {
    throw new RevortError(`The largest norm of a gradient (clip) must be positive, but ${clip} was given.`);
  }
  if (patience !== undefined && !(patience >= 1)) {
    throw new RevortError(`The patience must be 1 update or more, but ${patience} was given.`);
  }
}

/** The parameters among what was trained, under the names they have in the field. */
export function parametersOf(trained: Tensors): Tensors {
  const prefix = parameterName("");
  return Object.fromEntries(
    Object.entries(trained).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );
}

function nextOf(values: DeviceTensors, updated: DeviceTensors): DeviceTensors {
  return Object.fromEntries(Object.keys(values).map((name) => [name, updated[nextName(name)]!]));
}

async function fetch(runtime: Runtime, values: DeviceTensors): Promise<Tensors> {
  const entries = await Promise.all(
    Object.entries(values).map(async ([name, value]) => [name, await runtime.download(value)] as const),
  );
  return Object.fromEntries(entries);
}
