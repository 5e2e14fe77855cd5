import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul } from "../ops/arithmetic.js";
import { abs, sqrt } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import type { Operand } from "../ops/operand.js";
import { reduceMean } from "../ops/reduce.js";

/** How closely y is wanted: numbers, or scalars of a graph. */
export interface Tolerances {
  readonly rtol: Operand;
  readonly atol: Operand;
}

/** What shares one step size: all trajectories of a batch, or each alone (along the leading axis). */
export type Sharing = "batch" | "sample";

/** The axes of a state that a norm goes over; `null` is all. */
export function normAxes(state: Value, sharing: Sharing): number[] | null {
  return sharing === "batch" ? null : state.shape.slice(1).map((_, axis) => axis + 1);
}

/** mean x²: over everything, or over all axes but the leading one, which are kept with size 1. */
export function meanSquare(b: Builder, x: Value, sharing: Sharing): Value {
  return reduceMean(b, mul(b, x, x), normAxes(x, sharing), sharing === "sample");
}

/** √(mean x²) */
export function rootMeanSquare(b: Builder, x: Value, sharing: Sharing): Value {
  return sqrt(b, meanSquare(b, x, sharing));
}

/** atol + rtol max(|y0|, |y1|), componentwise: what an error is held against. */
export function toleranceOf(b: Builder, y0: Value, y1: Value, { rtol, atol }: Tolerances): Value {
  return add(b, mul(b, maximum(b, abs(b, y0), abs(b, y1)), rtol), atol);
}

/** The norm of an error in units of the tolerance. */
export function scaledNorm(b: Builder, error: Value, tolerance: Value, sharing: Sharing): Value {
  return rootMeanSquare(b, div(b, error, tolerance), sharing);
}
