import { checkOptions, OptionError, showValue } from "../core/options.js";
import type { FloatDType } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { explicit } from "../methods/explicit.js";
import type { Method } from "../methods/method.js";
import { methodNamed } from "../methods/named.js";
import { reversible } from "../methods/reversible.js";
import { midpoint, type Tableau } from "../methods/tableaux.js";
import { TimeError } from "../programs/grid.js";
import { CompiledCache } from "./compiled-cache.js";

export interface NeuralOdeOptions<F extends VectorField = VectorField> {
  readonly field: F;
  /** a tableau, or the name of a solver ("tsit5"), stands for the base method; reversible(midpoint) by default */
  readonly method?: Method | Tableau | string;
  /**
   * largest step of a solve that is given no control of its steps, in the units of t. Without one, a method that
   * estimates its error takes adaptive steps; any other needs a step size here, or a control with each solve. It is no
   * limit of adaptive steps, which have one of their own, `pid({ dtmax })`
   */
  readonly stepSize?: number;
  /** the field's own by default, else float64 */
  readonly dtype?: FloatDType;
}

const optionNames = {
  field: true,
  method: true,
  stepSize: true,
  dtype: true,
} satisfies Record<keyof NeuralOdeOptions, true>;

const elsewhere = {
  solver: "the solver is the method",
  dt: "a step size is stepSize",
  h: "a step size is stepSize",
  dim: "the dimension belongs to the field, mlp({ dim: 2 })",
  hidden: "hidden layers belong to the field, mlp({ dim: 2, hidden: [32] })",
  coupling: "λ belongs to the method, reversible(midpoint, { coupling: 0.999 })",
  rtol: "tolerances belong to a control, solve(ode, { control: pid({ rtol: 1e-8 }) })",
  atol: "tolerances belong to a control, solve(ode, { control: pid({ atol: 1e-8 }) })",
  control: "a control is given to each solve",
  runtime: "a runtime is given to each solve",
};

/** A differential equation together with how it is solved: dy/dt = f(t, y; θ). */
export interface NeuralOde<F extends VectorField = VectorField> {
  readonly field: F;
  readonly method: Method;
  /** largest step of a solve without a control; infinite if none was given */
  readonly stepSize: number;
  readonly dtype: FloatDType;
  /** what its solves have compiled; `cache.release()` frees it early */
  readonly cache: CompiledCache;
}

/**
 * A vector field with a solver.
 *
 * @throws {OptionError} for an option that there is not, or what is no field or method
 * @throws {UnknownSolverError} for a name that no solver has
 * @throws {TimeError} unless the step size is positive
 */
export function neuralOde<F extends VectorField>(options: NeuralOdeOptions<F>): NeuralOde<F> {
  // an equation itself is one: neuralOde({ ...ode, stepSize })
  checkOptions("neuralOde", options, { ...optionNames, cache: true }, elsewhere);
  const { field, method = reversible(midpoint), stepSize = Number.POSITIVE_INFINITY, dtype } = options;
  if (!isField(field)) {
    throw new OptionError(
      `A field is what mlp(…), sir(), importedField(model) and the like return, but ${showValue(field)} was given.`,
    );
  }
  if (!(typeof stepSize === "number" && stepSize > 0)) {
    throw new TimeError(`The step size must be a positive number, but ${showValue(stepSize)} was given.`);
  }
  if (dtype !== undefined && dtype !== "float32" && dtype !== "float64") {
    throw new OptionError(`The dtype is "float32" or "float64", but ${showValue(dtype)} was given.`);
  }
  return {
    field,
    method: methodOf(method),
    stepSize,
    dtype: dtype ?? field.dtype ?? "float64",
    cache: new CompiledCache(),
  };
}

/** Whether something is a vector field rather than an equation, or nothing of either. */
export function isField(value: unknown): value is VectorField {
  if (typeof value !== "object" || value === null) return false;
  const { apply, state, parameters } = value as Partial<VectorField>;
  return typeof apply === "function" && Array.isArray(state) && typeof parameters === "object";
}

function methodOf(method: Method | Tableau | string): Method {
  if (typeof method === "string") return methodNamed(method);
  if (typeof method === "object" && method !== null) {
    if ("step" in method) return method;
    if ("b" in method) return explicit(method);
  }
  const call = typeof method === "function" ? ` Call it: ${(method as { name: string }).name}(…).` : "";
  throw new OptionError(
    'A method is a tableau (tsit5), the name of a solver ("tsit5"), or what reversible(…), alf() and the like return, ' +
      `but ${showValue(method)} was given.${call}`,
  );
}
