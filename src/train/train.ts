import { Random } from "../core/random.js";
import type { Tensor } from "../core/tensor.js";
import type { Branch } from "../core/tree.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import type { Fit } from "../gradients/evaluate.js";
import { TrainingError } from "../gradients/training-error.js";
import { SolveError } from "../integrate/failures.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkResolution, largestStep } from "../integrate/resolution.js";
import { checkParameters, checkState, solve } from "../integrate/solve.js";
import type { SolveWarning } from "../integrate/solve-warning.js";
import { driftText } from "../integrate/warnings.js";
import { mse } from "../learning/losses.js";
import { adamw } from "../learning/optimisers.js";
import { constant } from "../learning/schedules.js";
import { isReversible } from "../methods/method.js";
import { y0Name } from "../programs/names.js";
import { parametersOf } from "./checkpoint.js";
import { type Trajectories, targetsOf } from "./data.js";
import { DriftWatch } from "./drift-watch.js";
import { checkFit } from "./fit-check.js";
import { gradientTask, gridOf } from "./gradient-task.js";
import { keptParts, partsOf } from "./kept-parts.js";
import { checkNumbers, type TrainOptions, type TrainResult, type UpdateReport } from "./options.js";
import { Run } from "./run.js";
import type { TrainNote } from "./scheme.js";
import { shuffled } from "./source.js";
import { startOf } from "./start.js";
import { TrajectoryScheme } from "./trajectory-scheme.js";
import { checkTrainable } from "./trajectory-updater.js";

export type { TrainOptions, TrainResult, UpdateReport };
export { parametersOf, TrainingError };

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
  const { fit, batchSize, trained, source, optimiser, loss } = preparedFor(ode, data, options);
  const { runtime, steps, schedule = constant(), resume, control } = options;
  const { dtype } = ode;
  const start = startOf({ trained, buffers: {}, resume }, { optimiser, dtype, keepsBest: true });
  const notes: TrainNote[] = [];
  const watch = new DriftWatch(resume?.drift ?? null);
  const scheme = await TrajectoryScheme.compiled(
    ode,
    {
      strict: options.strict ?? false,
      asked: options.gradient ?? (isReversible(ode.method) ? "reversible" : "direct"),
      task: gradientTask(ode, { ...data, y0: fit.y0 }, options),
      updater: {
        ...{ runtime, loss, optimiser, fit, batchSize, clip: options.clip ?? null },
        ...{
          trainY0: options.trainY0 ?? false,
          helpers: options.helpers ?? [],
          parts: options.parts ?? partsOf(resume, options.helpers),
          ...{ threads: options.threads ?? null, updates: steps - (resume?.step ?? 0) },
        },
        ...(control && { control }),
      },
      kept: resume?.scheme,
      choosesCoupling: options.coupling === "auto",
      ...{ data: { ...data, y0: fit.y0 }, watch },
      note(note) {
        notes.push(note);
        options.onNote?.(note);
      },
    },
    resume?.step ?? 0,
  );
  const { patience, signal, updatesPerRun, onUpdate } = options;
  const run = new Run(scheme, start, {
    ...{ runtime, dtype, source, learningRate: optimiser.learningRate, schedule, steps },
    ...{ patience, signal, updatesPerRun, onUpdate, validating: null },
    keeps: () => ({
      ...keptParts(scheme),
      scheme: scheme.kept,
      ...(watch.record === null ? {} : { drift: watch.record }),
    }),
  });
  try {
    const stopped = await run.toEnd();
    const checkpoint = await run.checkpoint();
    const found = {
      parameters: parametersOf(checkpoint.trained),
      y0: checkpoint.trained[y0Name] ?? fit.y0,
    };
    const wanted = (options.check ?? true) && stopped !== "aborted";
    const { ran, cost } = scheme.updater;
    const { evaluations, storedStates } = cost;
    const { gradient, coupling } = scheme.kept;
    return {
      ...found,
      ...{
        ran,
        losses: run.losses,
        seconds: run.seconds,
        evaluations,
        storedStates,
        gradient,
        coupling,
        notes,
      },
      warnings: await warningsAtEnd(scheme, watch, run.losses.length, found),
      // trajectories do not run out
      stopped: stopped as TrainResult["stopped"],
      checkpoint,
      check: wanted
        ? await checkFit(scheme.ode, data, { runtime, loss, ...found, ...(control && { control }) })
        : null,
    };
  } finally {
    await scheme.release();
  }
}

/** What is trained, on what, once it was checked. */
function preparedFor(ode: NeuralOde, data: Trajectories, options: TrainOptions) {
  const { control, resume, seed = 0, trainY0 = false, loss = mse(), optimiser = adamw() } = options;
  const y0 = checkState(ode, data.y0);
  const { target, weight } = targetsOf({ ...data, y0 }, ode.dtype);
  const count = y0.shape[0]!;
  const { batchSize = count } = options;
  checkTrainable(ode.field, { count, batchSize, trainY0 });
  checkNumbers(options);
  const grid = gridOf(ode, data, control);
  const way = { t0: data.t0, end: data.times.at(-1)! };
  checkResolution(ode, way, control ? largestStep(control, way) : ode.stepSize);
  const source = shuffled(count, batchSize, resume?.sampler ?? seed);
  const parameters =
    (resume && parametersOf(resume.trained)) ??
    options.parameters ??
    initialParameters(ode.field, Random.seeded(seed), ode.dtype);
  const trained: Branch = {
    parameters: checkParameters(ode.field, parameters, ode),
    ...(trainY0 ? { y0: resume?.trained[y0Name] ?? y0 } : {}),
  };
  const fit: Fit = { grid, y0, target, weight };
  return { fit, batchSize, trained, source, optimiser, loss };
}

/** What is doubtful about the solves of updates, and, where a coupled pair drifted apart, whether damping explains it. */
async function warningsAtEnd(
  { ode, solveOptions }: TrajectoryScheme,
  watch: DriftWatch,
  updates: number,
  found: { readonly parameters: Tensors; readonly y0: Tensor },
): Promise<SolveWarning[]> {
  const message = watch.warning(updates, (drift) => driftText(ode.method, ode.dtype, drift));
  if (message === null) return [];
  const drift: SolveWarning = { code: "drift", message };
  try {
    const { warnings } = await solve(ode, { ...solveOptions, ...found, checkStability: true });
    return [drift, ...warnings.filter(({ code }) => code === "stability")];
  } catch (error) {
    // the last update may have led to where there is no solution
    if (error instanceof SolveError) return [drift];
    throw error;
  }
}
