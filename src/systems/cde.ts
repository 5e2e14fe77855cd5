import type { Parameter, Values, VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { reshape } from "../ops/reshape.js";
import { rowProducts } from "../ops/row-products.js";
import { pathDerivative } from "./control-path.js";
import { PathError } from "./interpolation.js";

/** The right-hand side of a controlled differential equation, dz = F(z; θ) dX. */
export interface ControlledField {
  readonly name: string;
  /** components of z */
  readonly hidden: number;
  /** components of X */
  readonly channels: number;
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** F(z; θ), [batch, hidden · channels] or [batch, hidden, channels], of z [batch, hidden] */
  readonly apply: (b: Builder, theta: Values, z: Value) => Value;
}

/** What a field along a path reads as its coefficients, beside its parameters. */
export const pathName = "path";

/**
 * z' = F(z; θ) X'(t): the equation as a vector field on states [batch, hidden]. θ has one more entry, `path`, the
 * coefficients [batch, intervals, 4 channels] between the knots. Where X' jumps, at the knots of a linear path, a step has the
 * slope of its own side: methods have their order where steps end at the knots.
 *
 * @see Kidger et al. 2020, "Neural controlled differential equations for irregular time series"
 */
export function alongPath(field: ControlledField, knots: readonly number[]): VectorField {
  const { name, hidden, channels, parameters } = field;
  if (Object.hasOwn(parameters, pathName)) {
    throw new PathError(
      `The field "${name}" has a parameter "${pathName}", which is what it reads its path as. Name it otherwise.`,
    );
  }
  return {
    name: `${name} along a path`,
    state: ["batch", hidden],
    parameters,
    jumps: true,
    apply(b, theta, t, z, inside) {
      const coefficients = theta[pathName];
      if (
        coefficients === undefined ||
        coefficients.shape[1] !== knots.length - 1 ||
        coefficients.shape[2] !== 4 * channels
      ) {
        const given = coefficients === undefined ? "nothing" : `[${coefficients.shape.join(", ")}]`;
        throw new PathError(
          `The field "${name}" reads a path [batch, ${knots.length - 1} intervals, ${4 * channels}] of ${channels} channels ` +
            `as θ's entry "${pathName}", but ${given} was given. Make it by controlPath or pathCoefficients.`,
        );
      }
      return alongSlope(b, field, theta, z, pathDerivative(b, knots, coefficients, t, inside));
    },
  };
}

/** F(z; θ) X', [batch, hidden], for a slope X' of the path, [batch, channels]. */
export function alongSlope(
  b: Builder,
  { hidden, channels, apply }: ControlledField,
  theta: Values,
  z: Value,
  slope: Value,
): Value {
  return rowProducts(b, reshape(b, apply(b, theta, z), [-1, hidden, channels]), slope);
}
