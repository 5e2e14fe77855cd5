import { RevortError } from "../core/errors.js";
import { OptionError, showValue } from "../core/options.js";
import { showShape } from "../core/tensor.js";
import type { Parameter, Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { mul } from "../ops/arithmetic.js";
import { matmul } from "../ops/linalg.js";
import { transpose } from "../ops/reshape.js";
import { rowProducts } from "../ops/row-products.js";

/** A stochastic differential equation that makes no sense, or whose drift or diffusion is of another shape than it says. */
export class SdeError extends RevortError {}

/** What ∫ g dW means: the integrand at the beginning of each step (Itô), or the mean of both ends (Stratonovich). */
export type Calculus = "ito" | "stratonovich";

/**
 * How noise enters, with m Brownian motions:
 *
 *   scalar    gᵢ dW, one motion for all components; g [batch, dim]
 *   diagonal  gᵢ dWᵢ, one for each component; g [batch, dim]
 *   additive  Σⱼ gᵢⱼ dWⱼ with g(t) [dim, m], whatever the state is: Itô and Stratonovich are the same
 *   general   Σⱼ gᵢⱼ dWⱼ; g [batch, dim, m]
 */
export type NoiseKind = "scalar" | "diagonal" | "additive" | "general";

type Coefficient = (b: Builder, theta: Values, t: Value, y: Value) => Value;

/** What {@link defineSde} takes: states are rows of numbers, [batch, dim]. */
export interface SdeDefinition {
  readonly name: string;
  /** number of components of the state */
  readonly dim: number;
  readonly calculus: Calculus;
  readonly noise: NoiseKind;
  /** m, the number of Brownian motions of additive and general noise; 1 by default */
  readonly motions?: number;
  /** θ of drift and diffusion, named like a PyTorch state dict */
  readonly parameters?: Readonly<Record<string, Parameter>>;
  /** names of the components, for plots and files */
  readonly components?: readonly string[];
  /** f(t, y; θ), [batch, dim] */
  readonly drift: Coefficient;
  /** g(t, y; θ), of the shape that its kind of noise has; that of additive noise does not read y */
  readonly diffusion: Coefficient;
}

/** A stochastic differential equation dy = f(t, y; θ) dt + g(t, y; θ) dW. */
export interface Sde {
  readonly name: string;
  readonly dim: number;
  readonly calculus: Calculus;
  readonly noise: NoiseKind;
  /** m, the number of Brownian motions */
  readonly motions: number;
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly components?: readonly string[];
  readonly drift: Coefficient;
  readonly diffusion: Coefficient;
  /** g(t, y; θ) w, [batch, dim]. @param w  [batch, m] */
  readonly diffuse: (b: Builder, theta: Values, t: Value, y: Value, w: Value) => Value;
}

/**
 * A stochastic differential equation on states [batch, dim],
 *
 *   dy = f(t, y; θ) dt + g(t, y; θ) dW   (Itô),   dy = f dt + g ∘ dW   (Stratonovich)
 *
 * which of the two is for the definition to say: they differ by ½ Σⱼ (∂gⱼ/∂y) gⱼ dt.
 *
 * @throws {OptionError} for a kind of noise or a calculus that there is not, or sizes that are not whole numbers
 * @throws {SdeError} where drift or diffusion turn out to be of another shape
 */
export function defineSde(definition: SdeDefinition): Sde {
  checkDefinition(definition);
  const { name, dim, calculus, noise, parameters = {}, components, drift, diffusion } = definition;
  const motions = noise === "diagonal" ? dim : (definition.motions ?? 1);
  const shapes: Readonly<Record<NoiseKind, (batch: Value["shape"][number]) => Value["shape"]>> = {
    scalar: (batch) => [batch, dim],
    diagonal: (batch) => [batch, dim],
    additive: () => [dim, motions],
    general: (batch) => [batch, dim, motions],
  };
  const checked =
    (what: string, of: Coefficient, shape: (batch: Value["shape"][number]) => Value["shape"]): Coefficient =>
    (b, theta, t, y) => {
      const value = of(b, theta, t, y);
      const expected = shape(y.shape[0]!);
      // a constant may stand for all samples
      const fits =
        value.shape.length === expected.length &&
        value.shape.every((each, axis) => each === expected[axis] || (axis === 0 && each === 1));
      if (fits && value.dtype === y.dtype) return value;
      throw new SdeError(
        `The ${what} of "${name}" (${noise} noise) is ${showType(value)}, but must be ${y.dtype}${showShape(expected)}.`,
      );
    };
  const g = checked("diffusion", diffusion, shapes[noise]);
  return {
    ...{ name, dim, calculus, noise, motions, parameters },
    ...(components === undefined ? {} : { components }),
    drift: checked("drift", drift, (batch) => [batch, dim]),
    diffusion: g,
    diffuse(b, theta, t, y, w) {
      const value = g(b, theta, t, y);
      if (noise === "additive") return matmul(b, w, transpose(b, value, [1, 0]));
      return noise === "general" ? rowProducts(b, value, w) : mul(b, value, w);
    },
  };
}

/** @throws {OptionError} */
function checkDefinition({ name, dim, calculus, noise, motions }: SdeDefinition): void {
  const refuse = (what: string, given: unknown, expected: string): never => {
    throw new OptionError(`The SDE "${name}" has ${what} ${showValue(given)}. Give ${expected}.`);
  };
  if (!Number.isInteger(dim) || dim < 1) refuse("dim", dim, "the number of components of its state");
  if (calculus !== "ito" && calculus !== "stratonovich")
    refuse("the calculus", calculus, '"ito" or "stratonovich"');
  if (!["scalar", "diagonal", "additive", "general"].includes(noise))
    refuse("the noise", noise, '"scalar", "diagonal", "additive" or "general"');
  if (motions === undefined) return;
  if (!Number.isInteger(motions) || motions < 1) refuse("motions", motions, "the number of Brownian motions");
  const own = { scalar: 1, diagonal: dim, additive: motions, general: motions }[noise];
  if (motions !== own) refuse("motions", motions, `${own}, that of ${noise} noise, or leave it out`);
}
