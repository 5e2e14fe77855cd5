import { rootMeanSquare } from "../control/norm.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { div, mul, sub } from "../ops/arithmetic.js";
import { abs, sqrt } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import { reduceMax, reduceMean } from "../ops/reduce.js";
import type { Setting } from "./inputs.js";

// What a solve and its way back can tell of themselves at next to no cost: how far the two solutions of a coupled method
// lie apart, and how far states come back from where they were.

/** Root mean squares of y − ŷ and of y, for ŷ the companion of y; nothing for a method without one. */
export function pairNorms(b: Builder, { method }: Pick<Setting, "method">, state: State): Value[] {
  const { companion } = method;
  if (companion === undefined) return [];
  return [sub(b, state[0], state[companion]!), state[0]].map((x) => rootMeanSquare(b, x, "batch"));
}

/** The same of states that are stacked. */
export function pairNormsOfRows(b: Builder, ys: Value, companions: Value): Value[] {
  const axes = ys.shape.slice(1).map((_, axis) => axis + 1);
  return [sub(b, ys, companions), ys].map((x) => sqrt(b, reduceMean(b, mul(b, x, x), axes)));
}

/**
 * What a solve is to observe at its saves. Where every step is one, that would cost a small field a fifth of its time:
 * there, the end has to do.
 */
export function pairObserver(setting: Setting): (b: Builder, state: State) => Value[] {
  return (b, state) => (setting.everyStep ? [] : pairNorms(b, setting, state));
}

/**
 * How far y and its companion have drifted apart: the largest distance over the largest size of y, as root mean squares.
 *
 * @param end  the last state
 * @param observed  distances and sizes on the way, stacked, where they were observed
 * @returns `null` for a method without a companion
 */
export function relativeDrift(
  b: Builder,
  setting: Setting,
  y0: Value,
  end: State,
  observed: readonly Value[],
): Value | null {
  const [distance, size] =
    observed.length > 0 ? observed.map((x) => reduceMax(b, x)) : pairNorms(b, setting, end);
  if (distance === undefined) return null;
  return div(b, distance, maximum(b, size!, maximum(b, rootMeanSquare(b, y0, "batch"), tiny(setting.dtype))));
}

/** max |x| */
export function largest(b: Builder, x: Value): Value {
  return reduceMax(b, abs(b, x));
}

/** An error over the size of a solution: the largest |y| at its start and its saves. */
export function relativeTo(b: Builder, ys: Value, y0: Value, error: Value): Value {
  const size = maximum(b, largest(b, y0), largest(b, ys));
  return div(b, error, maximum(b, size, tiny(y0.dtype)));
}

/** What keeps 0 / 0 from being no number. */
function tiny(dtype: string): number {
  return dtype === "float64" ? 1e-300 : 1e-30;
}
