import { rootMeanSquare } from "../control/norm.js";
import { leastNormal } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { div, sub } from "../ops/arithmetic.js";
import { abs } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import { reduceMax } from "../ops/reduce.js";
import type { Setting } from "./inputs.js";

// What a solve and its way back can tell of themselves at next to no cost: how far the two solutions of a coupled method
// lie apart, and how far states come back from where they were.

/** Root mean squares of y − ŷ and of y, for ŷ the companion of y; nothing for a method without one. */
export function pairNorms(b: Builder, { method }: Pick<Setting, "method">, state: State): Value[] {
  const { companion } = method;
  if (companion === undefined) return [];
  return [sub(b, state[0], state[companion]!), state[0]].map((x) => rootMeanSquare(b, x, "batch"));
}

/** max |y − ŷ| and max |y|, likewise, of one state or of stacked ones: nothing is squared, so y may be of any size. */
export function pairMaxima(
  b: Builder,
  { method }: Pick<Setting, "method">,
  state: Readonly<Record<number, Value>>,
): Value[] {
  const { companion } = method;
  if (companion === undefined) return [];
  return [largest(b, sub(b, state[0]!, state[companion]!)), largest(b, state[0]!)];
}

/**
 * How far y and its companion have drifted apart: max |y − ŷ| over max |y|.
 *
 * @param end  the last state
 * @param observed  both on the way, stacked, where they were observed
 * @returns `null` for a method without a companion
 */
export function relativeDrift(
  b: Builder,
  setting: Pick<Setting, "method" | "dtype">,
  y0: Value,
  end: State,
  observed: readonly Value[],
): Value | null {
  const [distance, size] =
    observed.length > 0 ? observed.map((x) => reduceMax(b, x)) : pairMaxima(b, setting, end);
  if (distance === undefined) return null;
  return div(b, distance, maximum(b, size!, maximum(b, largest(b, y0), leastNormal[setting.dtype])));
}

/** max |x| */
export function largest(b: Builder, x: Value): Value {
  return reduceMax(b, abs(b, x));
}

/** An error over the size of a solution: the largest |y| at its start and its saves. */
export function relativeTo(b: Builder, ys: Value, y0: Value, error: Value): Value {
  const size = maximum(b, largest(b, y0), largest(b, ys));
  return div(b, error, maximum(b, size, leastNormal[y0.dtype as FloatDType]));
}
