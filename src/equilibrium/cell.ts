import { RevortError } from "../core/errors.js";
import { isFloat } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { sameShape, showType, type Value } from "../graph/graph.js";
import { cast } from "../ops/reshape.js";

/** A fixed-point problem, a solver or a gradient of it that makes no sense. */
export class FixedPointError extends RevortError {}

/**
 * What has a fixed point, z = f(z, x; θ), as a function that builds a graph.
 */
export interface Cell {
  readonly name: string;
  /**
   * f(z, x; θ)
   *
   * @param given  x, θ and whatever else it reads, by name
   * @param z  [batch, …]
   * @returns  of z's type
   */
  readonly apply: (b: Builder, given: Values, z: Value) => Value;
}

/** z ↦ f(z, x; θ) at given x and θ, in the element type of the state. */
export type Iteration = (b: Builder, z: Value) => Value;

/**
 * A cell as a function of its state, which may have another element type than the cell: z is rounded to the cell's before
 * each evaluation, f(z) is exact in that of the state.
 *
 * @throws {FixedPointError} unless f(z) has the type of z
 */
export function iterationOf(cell: Cell, given: Values, like: Value): Iteration {
  return (b, z) => {
    const own = cast(b, z, like.dtype);
    const fz = cell.apply(b, given, own);
    if (fz.dtype !== own.dtype || !sameShape(fz.shape, own.shape)) {
      throw new FixedPointError(
        `The cell "${cell.name}" maps ${showType(own)} to ${showType(fz)}. A fixed point z = f(z) needs both to be of one type.`,
      );
    }
    return cast(b, fz, z.dtype);
  };
}

/** @throws {FixedPointError} unless z0 is a batch of floats of which all but the batch is known */
export function checkState(cell: Cell, z0: Value): void {
  const [batch, ...rest] = z0.shape;
  if (isFloat(z0.dtype) && batch !== undefined && rest.every((dim) => typeof dim === "number")) return;
  throw new FixedPointError(
    `The state z0 of the cell "${cell.name}" must be floats [batch, …], but is ${showType(z0)}.`,
  );
}
