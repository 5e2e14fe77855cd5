import type { Control } from "../control/control.js";
import { RevortError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { type Branch, mapTree, pathsOf } from "../core/tree.js";
import type { VectorField } from "../fields/field.js";
import {
  type Fit,
  type FixedInputs,
  fixedInputs,
  type GradientCost,
  gridInputs,
  lossSetting,
  solveInputsOf,
} from "../gradients/differentiator.js";
import { differentiator, onStepsOf } from "../gradients/evaluate.js";
import { checkGradientMemory } from "../gradients/memory.js";
import type { GradientMethod } from "../gradients/method.js";
import { graphGradientOf } from "../gradients/method.js";
import { costsOf } from "../gradients/one-graph.js";
import { SplitError } from "../gradients/parts.js";
import { whyNotFinite } from "../gradients/training-error.js";
import { locateDivergence } from "../integrate/divergence.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import type { Loss } from "../learning/losses.js";
import type { Optimiser } from "../learning/optimisers.js";
import type { AnyObjective } from "../programs/objective.js";
import { trajectories } from "../programs/trajectories.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Threads } from "../runtime/threads.js";
import { chosenStepsUpdater, trainedIn } from "./chosen-steps-updater.js";
import { compileUpdater } from "./compile-updater.js";
import { takenAlong } from "./samples.js";
import type { Batch, Standing, Updater, UpdaterOptions } from "./updater.js";

/** What updates of a fit to trajectories are compiled for. */
export interface TrajectoryOptions {
  readonly runtime: Runtime;
  /** runtimes that take parts of the batch beside it */
  readonly helpers: readonly Runtime[];
  readonly loss: Loss;
  readonly optimiser: Optimiser;
  readonly gradient: GradientMethod;
  readonly control?: Control;
  readonly clip: number | null;
  readonly trainY0: boolean;
  /** all trajectories */
  readonly fit: Fit;
  /** trajectories per update */
  readonly batchSize: number;
  /** in how many parts a batch is gone through; `null` for as many as there are helpers, or as pay where there are threads */
  readonly parts: number | null;
  /** those that may take parts where there are no helpers */
  readonly threads: Threads | null;
  /** updates that are to be done */
  readonly updates: number;
}

/** Updates of a fit to trajectories. */
export interface TrajectoryUpdater extends Updater {
  readonly cost: GradientCost;
  /** Why a loss is not finite. */
  readonly whyNotFinite: (loss: number, standing: Standing, batch: Batch) => Promise<Error>;
}

/**
 * Compiles updates: as one graph that does many in a run, in parts where there are threads, or, where steps are chosen by
 * their error, as a gradient and an update by it.
 *
 * @throws as `differentiator` does
 */
export async function trajectoryUpdater(
  ode: NeuralOde,
  options: TrajectoryOptions,
): Promise<TrajectoryUpdater> {
  const { control, runtime, gradient } = options;
  if (control?.kind === "pid") return adaptiveUpdater(ode, options);
  const whole = onStepsOf(ode, options.fit, control);
  const first = batchOf(whole, firstBatch(options));
  const { cost } = costsOf(ode, gradient, whole.grid);
  checkGradientMemory(ode, runtime, gradient, { fit: first, ...cost });
  const given = updaterOptions(ode, options, whole);
  const updater = await compileUpdater(given);
  const setting = lossSetting(ode, { ...options, fit: first });
  return {
    ...updater,
    cost,
    get ran() {
      return updater.ran;
    },
    whyNotFinite(loss, { trained }, { which }) {
      const own = fixedInputs(ode, runtime, batchOf(whole, which));
      const now = trainedIn(trained);
      const locate = () => locateDivergence(ode, runtime, setting, whole.grid, solveInputsOf(now, own));
      return whyNotFinite(loss, { locate }, now, own);
    },
  };
}

/** Updates with steps that are chosen anew for each. */
async function adaptiveUpdater(ode: NeuralOde, options: TrajectoryOptions): Promise<TrajectoryUpdater> {
  const { helpers, parts, fit, runtime } = options;
  if (helpers.length > 0 || (parts ?? 1) > 1) {
    throw new SplitError(
      "Adaptive steps are chosen by the error of the whole batch, so it cannot be split among threads. " +
        "Use steps of a fixed size, or one thread.",
    );
  }
  const compiled = await differentiator(ode, { ...options, runtime, fit: batchOf(fit, firstBatch(options)) });
  let latest: { which: readonly number[]; fixed: FixedInputs } | null = null;
  const fixedOf = ({ which }: Batch): FixedInputs => {
    const whole = which.length === fit.y0.shape[0] && latest !== null;
    if (!whole && latest?.which !== which) latest = { which, fixed: compiled.fixed(batchOf(fit, which)) };
    return latest!.fixed;
  };
  const updater = await chosenStepsUpdater(compiled, fixedOf, updaterOptions(ode, options, fit));
  return {
    ...updater,
    get cost() {
      return compiled.cost;
    },
    whyNotFinite: (loss, { trained }, batch) =>
      whyNotFinite(loss, compiled, trainedIn(trained), fixedOf(batch)),
  };
}

/** The options of updates of any objective, for this one. */
export function updaterOptions(ode: NeuralOde, options: TrajectoryOptions, fit: Fit): UpdaterOptions {
  const { gradient, trainY0, batchSize, ...rest } = options;
  const objectiveOf = (size: number): AnyObjective => {
    const own = batchOf(fit, firstBatch({ batchSize: size }));
    return trajectories({
      ...lossSetting(ode, { ...rest, fit: own }),
      ...{ gradient: graphGradientOf(gradient), trainY0 },
    });
  };
  const { data, setup } = objectiveOf(batchSize);
  const samples = samplesIn(data, fit);
  return {
    ...rest,
    ...{ objectiveOf, batchSize, keepsBest: true, dtype: ode.dtype },
    isMean: () => options.loss.isMean === true,
    setup: setupOf(ode, fit, gradient, setup),
    resident: { samples, count: fit.y0.shape[0]! },
  };
}

/** The data of a fit, as its objective takes them. */
export function samplesIn(types: Branch, { y0, target, weight }: Fit): Branch {
  const all: Readonly<Record<string, Tensor | null>> = { y0, "data/target": target, "data/weight": weight };
  return mapTree(types, (_, path) => all[path]!);
}

/** Where a fit steps, and the tables of its gradient, as its objective takes them. */
export function setupOf(ode: NeuralOde, { grid }: Fit, method: GradientMethod, types: Branch): Branch {
  const all = new Map(pathsOf(gridInputs(ode, grid, { times: false, method })));
  return mapTree(types, (_, path) => all.get(path)!);
}

/** @throws {RevortError} if there is nothing to train, or initial states that each update sees only some of */
export function checkTrainable(
  { name, parameters }: VectorField,
  { count, batchSize, trainY0 }: { count: number; batchSize: number; trainY0: boolean },
): void {
  if (trainY0 && batchSize !== count) {
    throw new RevortError(
      "Initial states can be trained only on all trajectories at once: leave out the batch size.",
    );
  }
  if (!trainY0 && Object.keys(parameters).length === 0) {
    throw new RevortError(
      `The field "${name}" has no parameters, so there is nothing to train. If it comes from a file, choose some with ` +
        "importedField's option `trainable`; inspectModel lists what there is.",
    );
  }
}

/** The part of a fit that is about some of its trajectories. */
export function batchOf(fit: Fit, which: readonly number[]): Fit {
  if (which.length === fit.y0.shape[0]) return fit;
  return {
    ...fit,
    y0: takenAlong(fit.y0, 0, which),
    target: takenAlong(fit.target, 1, which),
    weight: fit.weight && takenAlong(fit.weight, 1, which),
  };
}

/** The trajectories that updates are compiled for: as many as one takes. */
export function firstBatch({ batchSize }: Pick<TrajectoryOptions, "batchSize">): number[] {
  return Array.from({ length: batchSize }, (_, i) => i);
}
