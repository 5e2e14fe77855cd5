import type { Control } from "../control/control.js";
import { RevortError } from "../core/errors.js";
import type { VectorField } from "../fields/field.js";
import type { Fit, GradientCost } from "../gradients/differentiator.js";
import type { GradientMethod } from "../gradients/method.js";
import type { Loss } from "../learning/losses.js";
import type { Optimiser } from "../learning/optimisers.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import { takeTrajectories } from "./data.js";

/** Everything that training changes, on the device, under program names. */
export interface Standing {
  readonly trained: DeviceTensors;
  readonly memory: DeviceTensors;
  /** what was trained when the loss was lowest */
  readonly best: DeviceTensors;
}

/** An update that is to be done. */
export interface Planned {
  /** its number, from 1 */
  readonly count: number;
  readonly learningRate: number;
  /** the trajectories it is done on */
  readonly which: readonly number[];
}

/** Updates that were done. Numbers that are not finite mean that those from there on are of no use. */
export interface Updated {
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  /** how far states came back from where they were, relative to y; `null` where steps are not undone */
  readonly reconstructionErrors: readonly number[] | null;
  /** how far the companion of y was off, relative to y; `null` for a method without one */
  readonly drifts: readonly number[] | null;
  readonly after: Standing;
}

/** Compiled updates. */
export interface Updater {
  /** how many updates one run can do */
  readonly most: number;
  readonly cost: GradientCost;
  /** Does the planned updates, `most` of them at most. @param lowest  the lowest loss so far */
  readonly run: (from: Standing, lowest: number, plan: readonly Planned[]) => Promise<Updated>;
  /** Why a loss is not finite. */
  readonly whyNotFinite: (loss: number, trained: DeviceTensors, which: readonly number[]) => Promise<Error>;
  readonly release: () => Promise<void>;
}

export interface UpdaterOptions {
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
    y0: takeTrajectories(fit.y0, 0, which),
    target: takeTrajectories(fit.target, 1, which),
    weight: fit.weight && takeTrajectories(fit.weight, 1, which),
  };
}

/** The trajectories that updates are compiled for: as many as one takes. */
export function firstBatch({ batchSize }: UpdaterOptions): number[] {
  return Array.from({ length: batchSize }, (_, i) => i);
}
