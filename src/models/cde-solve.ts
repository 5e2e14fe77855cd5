import { checkOptions } from "../core/options.js";
import type { FloatDType } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { GradientRequest } from "../gradients/method.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralOde } from "../integrate/neural-ode.js";
import type { Method } from "../methods/method.js";
import type { Tableau } from "../methods/tableaux.js";
import type { SolvesInTraining } from "../nn/layer.js";
import { alongPath, type ControlledField, pathName } from "../systems/cde.js";
import { PathError } from "../systems/interpolation.js";
import { odeSolve } from "./ode-solve.js";

/** A controlled differential equation with its solver. */
export interface NeuralCde {
  readonly field: ControlledField;
  /** a solver as neuralOde takes it; reversible(midpoint) by default */
  readonly method?: Method | Tableau | string;
  /** in the units of the knots */
  readonly stepSize: number;
  readonly dtype?: FloatDType;
}

export interface CdeSolveOptions {
  readonly theta: Values;
  /** z at the first knot, [batch, hidden] */
  readonly z0: Value;
  readonly knots: readonly number[];
  /** [batch, intervals, 4 channels]: an input of the model, or `pathCoefficients` of what it computes */
  readonly coefficients: Value;
  /** times of the states that come out; the last knot by default */
  readonly times?: readonly number[];
  readonly gradient?: GradientRequest;
  readonly training?: SolvesInTraining | null;
}

const equationNames = {
  ...{ field: true, method: true, stepSize: true, dtype: true },
} satisfies Record<keyof NeuralCde, true>;

const optionNames = {
  ...{ theta: true, z0: true, knots: true, coefficients: true, times: true, gradient: true, training: true },
} satisfies Record<keyof CdeSolveOptions, true>;

const elsewhere = {
  ...{
    solver: "the solver is the method",
    dt: "a step size is stepSize",
    y0: "the state at the start is z0",
  },
  ...{
    saveAt: "times of the states that come out are times",
    t0: "it is the first knot",
    t1: "it is in times",
  },
  ...{
    path: "a path is its knots and coefficients",
    coupling: "λ belongs to the method: reversible(midpoint)",
  },
};

/**
 * A solve of dz = F(z; θ) dX along a path as a part of a model: states at given times, [times, batch, hidden]. All of it is
 * differentiated: parameters, z0, and the coefficients of the path.
 *
 * @throws {PathError} for a path that does not fit the field, or times outside it
 * @throws {OptionError} for an option that there is not
 * @throws as odeSolve does
 */
export function cdeSolve(b: Builder, cde: NeuralCde, options: CdeSolveOptions): Value {
  checkOptions("A controlled equation", cde, equationNames, elsewhere);
  checkOptions("cdeSolve", options, optionNames, elsewhere);
  const { field, method, stepSize, dtype = "float64" } = cde;
  const { theta, z0, knots, coefficients, gradient = "auto", training = null } = options;
  const { times = [knots.at(-1)!] } = options;
  const [first, last] = [knots[0]!, knots.at(-1)!];
  const outside = times.find((time) => !(time >= first && time <= last));
  if (outside !== undefined) {
    throw new PathError(`The path goes from ${first} to ${last}, but a state at ${outside} was asked for.`);
  }
  const ode = neuralOde({
    field: alongPath(field, knots),
    ...(method === undefined ? {} : { method }),
    ...{ stepSize, dtype },
  });
  return odeSolve(b, ode, {
    ...{ theta: { ...theta, [pathName]: coefficients }, y0: z0, t0: first, times, gradient, training },
  });
}
