import { checkOptions, OptionError, showValue } from "../core/options.js";
import { tensor } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { isValue, type Value } from "../graph/graph.js";
import { checkFunction, checkParameterDefinitions } from "../models/check-definition.js";
import * as strict from "../systems/sde.js";

/** A value of the graph; or a number, which is that of every component. */
type Coefficient = (b: Builder, theta: Values, t: Value, y: Value) => Value | number;

/** What {@link defineSde} takes: states are rows of numbers, [batch, dim]. */
export interface SdeDefinition extends Omit<strict.SdeDefinition, "drift" | "diffusion"> {
  /** f(t, y; θ), [batch, dim], or a number: the same for each component */
  readonly drift: Coefficient;
  /**
   * g(t, y; θ), of the shape that its kind of noise has; that of additive noise does not read y. A number is that of each
   * component, of scalar and diagonal noise
   */
  readonly diffusion: Coefficient;
}

const partNames = {
  ...{ name: true, dim: true, calculus: true, noise: true, motions: true, parameters: true },
  ...{ components: true, drift: true, diffusion: true },
} satisfies Record<keyof SdeDefinition, true>;

const toEquation = "it belongs to the equation, neuralSde({ sde, method, stepSize })";
const elsewhere = {
  ...{
    f: "say drift",
    g: "say diffusion",
    sigma: "say diffusion",
    theta: "say parameters",
    m: "say motions",
  },
  ...{ method: toEquation, stepSize: toEquation, dtype: toEquation, brownian: toEquation },
};

/**
 * A stochastic differential equation on states [batch, dim],
 *
 *   dy = f(t, y; θ) dt + g(t, y; θ) dW   (Itô),   dy = f dt + g ∘ dW   (Stratonovich)
 *
 * which of the two is for the definition to say: they differ by ½ Σⱼ (∂gⱼ/∂y) gⱼ dt.
 *
 * @throws {OptionError} for a part that there is not, that is missing or something else, a kind of noise or a calculus that
 *   there is not, or sizes that are not whole numbers
 * @throws {SdeError} where drift or diffusion turn out to be of another shape
 */
export function defineSde(definition: SdeDefinition): strict.Sde {
  checkOptions("defineSde", definition, partNames, elsewhere);
  const { name, dim, noise, drift, diffusion } = definition;
  const of = `The SDE ${showValue(name)}`;
  if (typeof name !== "string") throw new OptionError('An SDE needs a name, name: "prices".');
  checkFunction(of, "drift", drift, "(b, theta, t, y) => neg(b, y)");
  checkFunction(of, "diffusion", diffusion, "(b, theta, t, y) => y");
  checkParameterDefinitions(of, definition.parameters ?? {});
  const takesNumber = noise === "scalar" || noise === "diagonal";
  return strict.defineSde({
    ...definition,
    drift: valued(of, "drift", drift, dim),
    diffusion: valued(of, "diffusion", diffusion, takesNumber ? dim : null),
  });
}

/** @param dim  of how many components a number is that of each; `null` where a number would not say enough */
function valued(
  of: string,
  what: string,
  coefficient: Coefficient,
  dim: number | null,
): strict.SdeDefinition["drift"] {
  return (b, theta, t, y) => {
    const found = coefficient(b, theta, t, y);
    if (isValue(found)) return found;
    if (typeof found === "number" && dim !== null) {
      const all = Array.from({ length: dim }, () => found);
      return b.constant(tensor(y.dtype as "float32" | "float64", [1, dim], all));
    }
    const wanted =
      dim === null
        ? "a value of the graph: with this noise, a number does not say which motion drives what"
        : "a value of the graph, or one number for all components";
    throw new strict.SdeError(`${of} has the ${what} ${showValue(found)}, but must return ${wanted}.`);
  };
}
