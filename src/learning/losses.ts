import { RevortError } from "../core/errors.js";
import { checkOptions } from "../core/options.js";
import { tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { div, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { abs } from "../ops/elementwise.js";
import { less, where } from "../ops/logic.js";
import { reduceMean } from "../ops/reduce.js";

/** How far predictions lie from data, as a function that builds a scalar. */
export interface Loss {
  readonly name: string;
  /**
   * whether it is a mean over what was observed, so that the loss of a batch is the mean of those of its parts. Only then
   * does training split a batch by itself, for several threads.
   */
  readonly isMean?: true;
  /**
   * @param prediction  states at the save times, [saves, ...state]
   * @param target  the data, of the same shape
   * @param weight  1 where there is data and 0 where there is none, of the same shape; `null` if nothing is missing
   */
  readonly apply: (b: Builder, prediction: Value, target: Value, weight: Value | null) => Value;
}

/** Mean of r over what was observed: Σ w r / Σ w. */
function mean(b: Builder, residual: Value, weight: Value | null): Value {
  if (weight === null) return reduceMean(b, residual);
  return div(b, reduceSum(b, mul(b, residual, weight)), reduceSum(b, weight));
}

/** Mean square error, (1/n) Σ (p − y)². */
export function mse(): Loss {
  return {
    ...{ name: "mse", isMean: true },
    apply(b, prediction, target, weight) {
      const difference = sub(b, prediction, target);
      return mean(b, mul(b, difference, difference), weight);
    },
  };
}

/** Mean absolute error, (1/n) Σ |p − y|. */
export function l1(): Loss {
  return {
    ...{ name: "l1", isMean: true },
    apply: (b, prediction, target, weight) => mean(b, abs(b, sub(b, prediction, target)), weight),
  };
}

/**
 * Huber's loss: d²/2 where |d| ≤ δ, and δ (|d| − δ/2) beyond, for d = p − y (Huber 1964).
 *
 * @throws {RevortError} unless δ > 0
 */
export function huber(options: { delta?: number } = {}): Loss {
  checkOptions("huber", options, { delta: true });
  const { delta = 1 } = options;
  if (!(delta > 0)) throw new RevortError(`Huber's δ must be positive, but ${delta} was given.`);
  return {
    ...{ name: `huber(${delta})`, isMean: true },
    apply(b, prediction, target, weight) {
      const difference = sub(b, prediction, target);
      const size = abs(b, difference);
      const near = mul(b, mul(b, difference, difference), 0.5);
      const far = mul(b, sub(b, size, delta / 2), delta);
      return mean(b, where(b, less(b, size, delta), near, far), weight);
    },
  };
}

/**
 * A loss in units of `scale` along the last axis, one number per component: L(p / s, y / s).
 *
 * @throws {RevortError} unless every scale is positive
 */
export function scaledLoss(loss: Loss, scale: readonly number[]): Loss {
  if (!scale.every((s) => s > 0))
    throw new RevortError(`The scales of a loss must be positive, but [${scale}] was given.`);
  return {
    ...{ name: `${loss.name} / scale`, ...(loss.isMean && { isMean: true }) },
    apply(b, prediction, target, weight) {
      const unit = b.constant(tensor(prediction.dtype, [scale.length], scale));
      return loss.apply(b, div(b, prediction, unit), div(b, target, unit), weight);
    },
  };
}

/** The losses by the names that users type. */
export const losses = { mse, l1, huber } as const;
