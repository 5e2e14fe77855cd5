import type { Undone } from "../chains/chain.js";
import { reconstructionLimit } from "../chains/lost.js";
import { magnitude } from "../chains/magnitude.js";
import { epsilon, leastNormal } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { div, mul, sub } from "../ops/arithmetic.js";
import { maximum } from "../ops/extrema.js";
import { zerosLike } from "../ops/generate.js";
import type { Reached } from "./iterate.js";
import type { ReversibleSolver } from "./reversible.js";
import { axesFrom } from "./stop.js";

/**
 * How many steps of the reversible iteration can be undone before rounding is all that is left: undoing one multiplies
 * errors by 1 / |1 − β| where f is constant, and by more where it is not, so that n of them leave the pair within the
 * limit L (1e−6 in float64, 1e−3 in float32, as for solves) where
 *
 *   ε |1 − β|⁻ⁿ ≤ L
 */
export function undoableSteps(
  { relaxation }: Pick<ReversibleSolver, "relaxation">,
  state: FloatDType,
): number {
  const growth = -Math.log(Math.abs(1 - relaxation));
  if (growth <= 0) return Number.POSITIVE_INFINITY;
  return Math.floor(Math.log(reconstructionLimit[state] / epsilon[state]) / growth);
}

/** What is to be said of so many reversible steps; `null` where they can be undone. */
export function undoingWarning(solver: ReversibleSolver, state: FloatDType, steps: number): string | null {
  const most = undoableSteps(solver, state);
  if (steps <= most) return null;
  const growth = 1 / Math.abs(1 - solver.relaxation);
  return (
    `Undoing ${steps} steps of the reversible iteration multiplies rounding by 1 / |1 − β| = ${Number(growth.toPrecision(3))} ` +
    `a step at least: in ${state}, no more than ${most} can be relied on. Look at the reconstruction error; stop after fewer ` +
    `steps, take a β nearer to 0${state === "float32" ? ', a state in float64 (state: "float64")' : ""}, or store states on ` +
    `the way (gradient "reversible:${Math.max(1, Math.floor(most / 2))}").`
  );
}

/**
 * The estimate {@link lostOfGradient}, relative, past which a gradient is NaN: ten times the limit for states, since it is an upper
 * one, and gradients with errors below that are used in these types.
 */
export const gradientLimit: Readonly<Record<FloatDType, number>> = { float64: 1e-5, float32: 1e-2 };

/**
 * An estimate of the error of a gradient by undoing. With e the error of a pair that steps were undone to, and c the
 * cotangents of a pair, it is
 *
 *   e min(1, ‖c there‖ / ‖c at the end‖)
 *
 * in the maximum norm, the largest of the samples. A step back multiplies e by 1 / |1 − β| or more, and c by about |1 − β| or
 * more, so the product does not fall on the way back: what earlier steps back contributed is no worse.
 */
export function lostOfGradient(b: Builder, { state, known, here, atEnd }: Undone<Reached>): Value {
  const dtype = state.z.dtype as FloatDType;
  const error = largestOf(b, [
    sub(b, state.z, known.z),
    ...state.memory.map((value, k) => sub(b, value, known.memory[k]!)),
  ]);
  const sizeOf = ({ z, memory }: typeof here) =>
    largestOf(
      b,
      [z, ...memory].map((cotangent) => cotangent ?? zerosLike(b, state.z)),
    );
  const left = sizeOf(here);
  const most = maximum(b, maximum(b, left, sizeOf(atEnd)), leastNormal[dtype]);
  return magnitude(b, mul(b, error, div(b, left, most)));
}

/** The largest magnitude in each sample, [batch] */
function largestOf(b: Builder, values: readonly Value[]): Value {
  const each = values.map((value) => magnitude(b, value, axesFrom(value, 1)));
  return each.reduce((most, own) => maximum(b, most, own));
}
