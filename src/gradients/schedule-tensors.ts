import { tablesOf } from "../chains/tables.js";
import type { Tensor } from "../core/tensor.js";
import { pathsOf } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import { adjointFor } from "../programs/adjoints.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import type { GradientMethod } from "../programs/solve-adjoint.js";

/** The tables of a gradient's schedule over a grid; `null` where it has no schedule. */
export function scheduleOn(method: GradientMethod, grid: Grid) {
  const steps = stepsOf(grid);
  const plan = adjointFor(method).plan?.(method, steps) ?? null;
  return plan && tablesOf(plan, steps, grid.offsets.slice(1));
}

/** The same as programs take them. */
export function scheduleTensors(method: GradientMethod, grid: Grid): Tensors {
  return Object.fromEntries(pathsOf({ schedule: scheduleOn(method, grid) })) as Record<string, Tensor>;
}
