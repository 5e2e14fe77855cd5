import type { Control } from "../control/control.js";
import { RevortError } from "../core/errors.js";
import { Random } from "../core/random.js";
import type { Tensor } from "../core/tensor.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { gridOfTimes } from "../gradients/differentiator.js";
import type { Fit } from "../gradients/evaluate.js";
import { whyGradientNotFinite } from "../gradients/gradient-not-finite.js";
import type { GradientRequest } from "../gradients/method.js";
import { TrainingError } from "../gradients/training-error.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkResolution, largestStep } from "../integrate/resolution.js";
import { checkParameters, checkState, named, upload } from "../integrate/solve.js";
import { type Loss, mse } from "../learning/losses.js";
import { adamw, type Optimiser } from "../learning/optimisers.js";
import { constant, type Schedule } from "../learning/schedules.js";
import { gridThrough } from "../programs/grid.js";
import { parameterName, y0Name } from "../programs/names.js";
import { resting } from "../runtime/resting.js";
import type { Runtime } from "../runtime/runtime.js";
import { sampler } from "./batches.js";
import { type Checkpoint, emptyMemory } from "./checkpoint.js";
import { compileUpdater } from "./compile-updater.js";
import { Course, fetched, type Step } from "./course.js";
import { type Trajectories, targetsOf } from "./data.js";
import { checkFit, type FitCheck } from "./fit-check.js";
import { Pace } from "./pace.js";
import { checkTrainable } from "./updater.js";

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
  /** time of this update; the mean of those that were done in one run */
  readonly seconds: number;
  /**
   * The whole state of the run at this point. It copies from the device, and does the updates before this one again
   * where they were done in one run with later ones, so ask for it only where it is needed.
   */
  readonly checkpoint: () => Promise<Checkpoint>;
}

export interface TrainOptions {
  readonly runtime: Runtime;
  /**
   * runtimes in threads (`threadRuntime`), each of which takes a part of the batch beside `runtime`; the parts are added up,
   * so that sums are rounded otherwise than in one part
   */
  readonly helpers?: readonly Runtime[];
  readonly loss?: Loss;
  readonly optimiser?: Optimiser;
  readonly schedule?: Schedule;
  /** number of updates in all, those before a resumption included */
  readonly steps: number;
  /** "reversible" by default where the method can be undone */
  readonly gradient?: GradientRequest;
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
  /**
   * how many updates one run of a graph may do; by default as many as take some 50 to 100 ms. Numbers do not depend on
   * it. Reports come after the run, one for each update; a signal is heeded between runs, or in a report.
   */
  readonly updatesPerRun?: number;
  /** goes on from here instead of starting anew */
  readonly resume?: Checkpoint;
  /** whether to solve the trained field accurately at the end, and hold the fit against that; by default it is done */
  readonly check?: boolean;
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
  /** the fit held against its own field, solved accurately; `null` if it was stopped, or the check was not wanted */
  readonly check: FitCheck | null;
}

/**
 * Fits the parameters of an equation to trajectories.
 *
 * @throws {ShapeError | ParameterError | TimeError | TrainingDataError} for data or parameters that do not fit
 * @throws {SplitError} if there are more helpers than the batch has parts for
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
  checkTrainable(ode.field, { count, batchSize, trainY0 });
  checkNumbers(options);

  const grid = options.control
    ? gridOfTimes(data.t0, data.times)
    : gridThrough(data.t0, data.times, ode.stepSize);
  const way = { t0: data.t0, end: data.times.at(-1)! };
  checkResolution(ode, way, options.control ? largestStep(options.control, way) : ode.stepSize);
  const fit: Fit = { grid, y0, target, weight };
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
  const noMemory = emptyMemory(optimiser, trainedAtStart, ode.dtype);
  if (start && Object.keys(start.memory).sort().join() !== Object.keys(noMemory).sort().join()) {
    throw new RevortError(
      `The run to go on from was one of another optimiser than ${optimiser.name}, or trained other arrays. ` +
        "Give the optimiser and the settings that it was started with.",
    );
  }

  const updater = await compileUpdater(ode, {
    ...{ runtime, loss, optimiser, gradient, trainY0, fit, batchSize, clip: options.clip ?? null },
    helpers: options.helpers ?? [],
    ...(options.control && { control: options.control }),
  });
  const losses = [...(start?.losses ?? [])];
  const trained = upload(runtime, trainedAtStart);
  const course = new Course(
    updater,
    {
      trained,
      memory: upload(runtime, start?.memory ?? noMemory),
      best: start ? upload(runtime, start.best.trained) : trained,
    },
    start?.best ?? { step: 0, loss: Number.POSITIVE_INFINITY },
    batches.state(),
  );
  let seconds = start?.seconds ?? 0;
  let step = start?.step ?? 0;
  const checkpoint = async (): Promise<Checkpoint> => {
    const { trained, memory, best } = await course.standing();
    return {
      step,
      trained: await fetched(runtime, trained),
      memory: await fetched(runtime, memory),
      sampler: course.sampler,
      losses: [...losses],
      best: { ...course.lowest, trained: await fetched(runtime, best) },
      seconds,
    };
  };
  /** Why there is no next update, where there is none. */
  const stop = (): TrainResult["stopped"] | null => {
    if (step >= steps) return "done";
    if (options.signal?.aborted) return "aborted";
    const patient = options.patience === undefined || step - course.lowest.step <= options.patience;
    return patient ? null : "patience";
  };

  const reached = async () => {
    const now = await fetched(runtime, (await course.standing()).trained);
    return { parameters: parametersOf(now), y0: now[y0Name] ?? y0 };
  };

  try {
    const pace = new Pace(Math.min(updater.most, options.updatesPerRun ?? updater.most));
    const rest = resting();
    let stopped = stop();
    while (stopped === null) {
      const started = performance.now();
      const plan = Array.from({ length: Math.min(pace.next, steps - step) }, (_, i): Step => {
        const learningRate = optimiser.learningRate * schedule.factor(step + i);
        return { count: step + i + 1, learningRate, which: batches.next(), sampler: batches.state() };
      });
      const updated = await course.run(plan);
      const elapsed = (performance.now() - started) / 1000;
      for (const [i, { learningRate, which }] of plan.entries()) {
        const [value, gradientNorm] = [updated.losses[i]!, updated.gradientNorms[i]!];
        if (!Number.isFinite(value)) {
          const { trained } = await course.standing();
          const failure = await updater.whyNotFinite(value, trained, which);
          failure.message = `At update ${step + 1}: ${failure.message}`;
          throw failure;
        }
        if (!Number.isFinite(gradientNorm)) {
          const { parameters, y0: start } = await reached();
          const given = { runtime, loss: value, parameters, y0: start, t0: data.t0, times: data.times };
          const failure = await whyGradientNotFinite(ode, given);
          failure.message = `At update ${step + 1}: ${failure.message}`;
          throw failure;
        }
        course.advance(step, value);
        losses.push(value);
        step += 1;
        seconds += elapsed / plan.length;
        await options.onUpdate?.({
          step,
          loss: value,
          gradientNorm,
          learningRate,
          seconds: elapsed / plan.length,
          checkpoint,
        });
        stopped = stop();
        if (stopped !== null) break;
      }
      pace.ran(plan.length, elapsed, course.looked);
      await rest(options.signal);
      stopped ??= stop();
    }

    const end = await checkpoint();
    const found = { parameters: parametersOf(end.trained), y0: end.trained[y0Name] ?? y0 };
    const wanted = (options.check ?? true) && stopped !== "aborted";
    const { control } = options;
    return {
      ...found,
      losses,
      seconds,
      evaluations: updater.cost.evaluations,
      storedStates: updater.cost.storedStates,
      stopped,
      checkpoint: end,
      check: wanted
        ? await checkFit(ode, data, {
            runtime,
            loss,
            ...found,
            ...(control === undefined ? {} : { control }),
          })
        : null,
    };
  } catch (error) {
    // whoever has the last report may still ask for its checkpoint
    await course.standing().catch(() => undefined);
    throw error;
  } finally {
    await updater.release();
  }
}

/** @throws {RevortError} naming the option that is out of range */
function checkNumbers({ steps, clip, patience, updatesPerRun }: TrainOptions): void {
  if (!Number.isInteger(steps) || steps < 0) {
    throw new RevortError(`The number of updates must be a whole number, but ${steps} was given.`);
  }
  if (clip !== undefined && !(clip > 0)) {
    throw new RevortError(`The largest norm of a gradient (clip) must be positive, but ${clip} was given.`);
  }
  if (patience !== undefined && !(patience >= 1)) {
    throw new RevortError(`The patience must be 1 update or more, but ${patience} was given.`);
  }
  if (updatesPerRun !== undefined && !(Number.isInteger(updatesPerRun) && updatesPerRun >= 1)) {
    throw new RevortError(
      `The number of updates per run must be a whole number of 1 or more, but ${updatesPerRun} was given.`,
    );
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
