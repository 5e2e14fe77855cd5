import { RevortError } from "../core/errors.js";
import { Random } from "../core/random.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import type { Fit } from "../gradients/evaluate.js";
import { whyGradientNotFinite } from "../gradients/gradient-not-finite.js";
import { isReconstructed } from "../gradients/reconstruction-limit.js";
import { TrainingError } from "../gradients/training-error.js";
import { SolveError } from "../integrate/failures.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkResolution, largestStep } from "../integrate/resolution.js";
import { checkParameters, checkState, couplingFor, named, solve, upload } from "../integrate/solve.js";
import type { SolveWarning } from "../integrate/warnings.js";
import { mse } from "../learning/losses.js";
import { adamw } from "../learning/optimisers.js";
import { constant } from "../learning/schedules.js";
import { isReversible } from "../methods/method.js";
import type { Grid } from "../programs/grid.js";
import { parameterName, y0Name } from "../programs/names.js";
import { resting } from "../runtime/resting.js";
import { sampler } from "./batches.js";
import { type Checkpoint, emptyMemory } from "./checkpoint.js";
import { isCouplingLook, updatesToCouplingLook } from "./coupling-looks.js";
import { Course, fetched, type Step } from "./course.js";
import { type Trajectories, targetsOf } from "./data.js";
import { DriftWatch } from "./drift-watch.js";
import { checkFit } from "./fit-check.js";
import { gradientTask, gridOf } from "./gradient-task.js";
import { checkNumbers, type TrainOptions, type TrainResult, type UpdateReport } from "./options.js";
import { Pace } from "./pace.js";
import { Scheme, type TrainNote } from "./scheme.js";
import { checkTrainable } from "./updater.js";

export type { TrainOptions, TrainResult, UpdateReport };
export { TrainingError };

/**
 * Fits the parameters of an equation to trajectories.
 *
 * @throws {ShapeError | ParameterError | TimeError | TrainingDataError} for data or parameters that do not fit
 * @throws {SplitError} if there are more helpers than the batch has parts for
 * @throws {DivergenceError} if a solve leaves the finite numbers, naming the update, step and time
 * @throws {TrainingError} if the loss or its gradient leaves them although the solve does not
 * @throws {ReconstructionError} if steps cannot be undone, however many states are stored
 * @throws {DriftError} with `strict`, if the two solutions of a coupled method drift apart
 */
export async function train(ode: NeuralOde, data: Trajectories, options: TrainOptions): Promise<TrainResult> {
  const { runtime, steps, loss = mse(), optimiser = adamw(), schedule = constant(), seed = 0 } = options;
  const y0 = checkState(ode, data.y0);
  const { target, weight } = targetsOf({ ...data, y0 }, ode.dtype);
  const count = y0.shape[0]!;
  const batchSize = options.batchSize ?? count;
  const trainY0 = options.trainY0 ?? false;
  checkTrainable(ode.field, { count, batchSize, trainY0 });
  checkNumbers(options);

  const grid = gridOf(ode, data, options.control);
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

  const notes: TrainNote[] = [];
  const { control } = options;
  const scheme = await Scheme.compiled(
    ode,
    {
      asked: options.gradient ?? (isReversible(ode.method) ? "reversible" : "direct"),
      task: gradientTask(ode, { ...data, y0 }, options),
      updater: {
        ...{ runtime, loss, optimiser, trainY0, fit, batchSize, clip: options.clip ?? null },
        helpers: options.helpers ?? [],
        ...(control && { control }),
      },
      kept: start?.scheme,
      choosesCoupling: options.coupling === "auto",
      note(note) {
        notes.push(note);
        options.onNote?.(note);
      },
    },
    start?.step ?? 0,
  );
  const watch = new DriftWatch(options.strict ?? false, start?.drift ?? null);
  const losses = [...(start?.losses ?? [])];
  const trained = upload(runtime, trainedAtStart);
  const course = new Course(
    scheme.updater,
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
      scheme: scheme.kept,
      ...(watch.record === null ? {} : { drift: watch.record }),
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
    const pace = new Pace(Math.min(course.updater.most, options.updatesPerRun ?? course.updater.most));
    const rest = resting();
    const looks = options.coupling === "auto";
    // drawn, and not done yet
    const drawn: Step[] = [];
    let stopped = stop();
    while (stopped === null) {
      const started = performance.now();
      if (looks && isCouplingLook(step)) await lookAgain();
      const length = Math.min(pace.next, steps - step, looks ? updatesToCouplingLook(step) : Infinity);
      while (drawn.length < length) {
        const count = step + drawn.length;
        const learningRate = optimiser.learningRate * schedule.factor(count);
        drawn.push({ count: count + 1, learningRate, which: batches.next(), sampler: batches.state() });
      }
      const plan = drawn.slice(0, length);
      const updated = await course.run(plan);
      const elapsed = (performance.now() - started) / 1000;
      for (const [i, { learningRate, which }] of plan.entries()) {
        const [value, gradientNorm] = [updated.losses[i]!, updated.gradientNorms[i]!];
        if (!Number.isFinite(value)) {
          const { trained } = await course.standing();
          const failure = await course.updater.whyNotFinite(value, trained, which);
          const led = step > 0 && failure instanceof SolveError ? ` ${ledThere}` : "";
          failure.message = `At update ${step + 1}: ${failure.message}${led}`;
          throw failure;
        }
        const reconstructionError = updated.reconstructionErrors?.[i] ?? null;
        if (reconstructionError !== null && !isReconstructed(reconstructionError, ode.dtype)) {
          seconds += (elapsed / plan.length) * (plan.length - i);
          await course.goOnBy(async () => {
            await scheme.refresh(reconstructionError, step);
            return scheme.updater;
          });
          break;
        }
        if (!Number.isFinite(gradientNorm)) {
          const { parameters, y0: start } = await reached();
          const given = { runtime, loss: value, parameters, y0: start, t0: data.t0, times: data.times };
          const failure = await whyGradientNotFinite(scheme.ode, given);
          failure.message = `At update ${step + 1}: ${failure.message}`;
          throw failure;
        }
        const drift = updated.drifts?.[i] ?? null;
        if (drift !== null) watch.see(step + 1, drift, scheme.ode, endOf(fit.grid));
        course.advance(step, value);
        drawn.shift();
        losses.push(value);
        step += 1;
        seconds += elapsed / plan.length;
        await options.onUpdate?.({
          ...{ step, loss: value, gradientNorm, learningRate, reconstructionError, drift },
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
    return {
      ...found,
      losses,
      seconds,
      evaluations: course.updater.cost.evaluations,
      storedStates: course.updater.cost.storedStates,
      gradient: scheme.kept.gradient,
      coupling: scheme.kept.coupling,
      notes,
      warnings: await warningsAtEnd(found),
      stopped,
      checkpoint: end,
      check: wanted
        ? await checkFit(scheme.ode, data, {
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
    await scheme.release();
  }

  /** Chooses λ by the field as it is now. */
  async function lookAgain(): Promise<void> {
    const { trained } = await course.standing();
    const now = await fetched(runtime, trained);
    const choose = (equation: NeuralOde, parameters: Tensors) =>
      couplingFor(equation, { ...solveOptions(), parameters, y0: now[y0Name] ?? y0 });
    await course.goOnBy(async () => {
      await scheme.lookAgain(choose, parametersOf(now), step);
      return scheme.updater;
    });
  }

  /** What is doubtful about the solves of updates, and, where a coupled pair drifted apart, whether damping explains it. */
  async function warningsAtEnd(found: Pick<TrainResult, "parameters" | "y0">): Promise<SolveWarning[]> {
    const message = watch.warning(scheme.ode, losses.length);
    if (message === null) return [];
    const drift: SolveWarning = { code: "drift", message };
    try {
      const { warnings } = await solve(scheme.ode, { ...solveOptions(), ...found, checkStability: true });
      return [drift, ...warnings.filter(({ code }) => code === "stability")];
    } catch (error) {
      // the last update may have led to where there is no solution
      if (error instanceof SolveError) return [drift];
      throw error;
    }
  }

  function solveOptions() {
    return { runtime, t0: data.t0, saveAt: data.times, ...(control && { control }) };
  }
}

/** What to do about a solve that fails where those before it did not. */
const ledThere =
  "The updates before it led to these parameters: a smaller learning rate, or a clipped gradient, may keep to where " +
  "there is a solution.";

/** Where the solve of an update ends. */
function endOf({ times }: Grid) {
  const [before, time] = [times.at(-2) ?? times[0]!, times.at(-1)!];
  return { time, step: times.length - 1, stepSize: Math.abs(time - before) };
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
