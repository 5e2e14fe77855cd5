import { tablesOf } from "../chains/tables.js";
import { adjointFor } from "../programs/adjoints.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import type { GradientMethod } from "../programs/solve-adjoint.js";

/** The tables of a gradient's schedule over a grid; `null` where it has no schedule. */
export function scheduleOn(method: GradientMethod, grid: Grid) {
  const steps = stepsOf(grid);
  const plan = adjointFor(method).plan?.(method, steps) ?? null;
  return plan && tablesOf(plan, steps, grid.offsets.slice(1));
}
