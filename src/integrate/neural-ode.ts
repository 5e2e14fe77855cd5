import type { FloatDType } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { explicit } from "../methods/explicit.js";
import type { Method } from "../methods/method.js";
import { reversible } from "../methods/reversible.js";
import { midpoint, type Tableau } from "../methods/tableaux.js";
import { TimeError } from "../programs/grid.js";
import { Kept } from "./kept.js";

export interface NeuralOdeOptions {
  readonly field: VectorField;
  /** a tableau stands for the plain method; reversible(midpoint) by default */
  readonly method?: Method | Tableau;
  /** largest step, in the units of t; needed unless a solve is given a control of its steps */
  readonly stepSize?: number;
  readonly dtype?: FloatDType;
}

/** A differential equation together with how it is solved: dy/dt = f(t, y; θ). */
export interface NeuralOde {
  readonly field: VectorField;
  readonly method: Method;
  /** largest step; infinite if none was given */
  readonly stepSize: number;
  readonly dtype: FloatDType;
  /** what its solves have compiled; `kept.release()` frees it early */
  readonly kept: Kept;
}

/**
 * A vector field with a solver.
 *
 * @throws {TimeError} unless the step size is positive
 */
export function neuralOde({
  field,
  method = reversible(midpoint),
  stepSize = Number.POSITIVE_INFINITY,
  dtype,
}: NeuralOdeOptions): NeuralOde {
  if (!(stepSize > 0)) {
    throw new TimeError(`The step size must be a positive number, but ${stepSize} was given.`);
  }
  return {
    field,
    method: "step" in method ? method : explicit(method),
    stepSize,
    dtype: dtype ?? field.dtype ?? "float64",
    kept: new Kept(),
  };
}
