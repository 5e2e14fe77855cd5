import { checkOptions, OptionError, showValue } from "../core/options.js";
import type { FloatDType } from "../core/tensor.js";
import { checkCalculus, type SdeMethod } from "../methods/sde-method.js";
import { sdeMethodNamed } from "../methods/sde-named.js";
import { TimeError } from "../programs/grid.js";
import { type BrownianMotion, keyedIncrements } from "../systems/brownian.js";
import type { Sde } from "../systems/sde.js";

export interface NeuralSdeOptions {
  readonly sde: Sde;
  /**
   * of the calculus of the equation, or its name; by default "reversible-heun" for equations of Stratonovich and for additive
   * noise, "euler-maruyama" for the others
   */
  readonly method?: SdeMethod | string;
  /** largest step, in the units of t */
  readonly stepSize: number;
  /** where the noise comes from: keyed increments by default */
  readonly brownian?: BrownianMotion;
  readonly dtype?: FloatDType;
}

const optionNames = {
  ...{ sde: true, method: true, stepSize: true, brownian: true, dtype: true },
} satisfies Record<keyof NeuralSdeOptions, true>;

const elsewhere = {
  ...{
    field: "an SDE is sde: defineSde({ … })",
    solver: "the solver is the method",
    dt: "a step size is stepSize",
  },
  ...{ noise: "the kind of noise belongs to defineSde; where it comes from is brownian" },
  ...{ coupling: 'λ belongs to the method, sdeMethodNamed("heun", { coupling: 0.999 })' },
  ...{ key: "a key is given to each solve", seed: "a seed is given to each solve" },
};

/** A stochastic differential equation together with how it is solved. */
export interface NeuralSde {
  readonly sde: Sde;
  readonly method: SdeMethod;
  readonly stepSize: number;
  readonly brownian: BrownianMotion;
  readonly dtype: FloatDType;
}

/**
 * A stochastic differential equation with a solver, a step size and a source of noise.
 *
 * @throws {OptionError} for an option that there is not, or what is no equation or method
 * @throws {CalculusError} for a method of the other calculus, or one that has no order for this noise
 * @throws {UnknownSolverError} for a name that no method has
 * @throws {TimeError} unless the step size is positive
 */
export function neuralSde(options: NeuralSdeOptions): NeuralSde {
  checkOptions("neuralSde", options, optionNames, elsewhere);
  const { sde, stepSize, brownian = keyedIncrements(), dtype = "float64" } = options;
  if (typeof sde !== "object" || sde === null || !("diffuse" in sde)) {
    throw new OptionError(`An SDE is what defineSde(…) returns, but ${showValue(sde)} was given.`);
  }
  if (!(typeof stepSize === "number" && stepSize > 0 && Number.isFinite(stepSize))) {
    throw new TimeError(`The step size must be a positive number, but ${showValue(stepSize)} was given.`);
  }
  if (dtype !== "float32" && dtype !== "float64") {
    throw new OptionError(`The dtype is "float32" or "float64", but ${showValue(dtype)} was given.`);
  }
  const usual = sde.calculus === "ito" && sde.noise !== "additive" ? "euler-maruyama" : "reversible-heun";
  const given = options.method ?? usual;
  const method = typeof given === "string" ? sdeMethodNamed(given) : given;
  if (typeof method !== "object" || method === null || !("calculus" in method)) {
    throw new OptionError(
      `A method for SDEs is a name ("heun"), or what stratonovich(…), eulerMaruyama() and the like return, but ` +
        `${showValue(given)} was given.`,
    );
  }
  checkCalculus(method, sde);
  return { sde, method, stepSize, brownian, dtype };
}
