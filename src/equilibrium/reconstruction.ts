import { reconstructionLimit } from "../chains/lost.js";
import { epsilon } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { ReversibleSolver } from "./reversible.js";

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
