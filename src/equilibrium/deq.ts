import { checkOptions } from "../core/options.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Layer, Parametrised } from "../nn/layer.js";
import { add } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import { zeros } from "../ops/linalg.js";
import { reduceMax } from "../ops/reduce.js";
import { reshape } from "../ops/reshape.js";
import type { Cell } from "./cell.js";
import { type FixedPointOptions, fixedPoint } from "./fixed-point.js";
import { axesFrom } from "./stop.js";

/** f(z, x; θ) with parameters of its own, as layers have them. It is applied as after training: it keeps no buffers. */
export interface DeqCell extends Parametrised {
  readonly name?: string;
  /** @returns f(z, x; θ), of z's type */
  readonly apply: (b: Builder, theta: Values, z: Value, x: Value) => Value;
}

export interface DeqOptions extends Omit<FixedPointOptions, "given" | "z0" | "training"> {
  /** shape of the state of a sample; that of x by default */
  readonly shape?: readonly number[];
}

const optionNames = {
  ...{ shape: true, solver: true, stop: true, gradient: true, state: true, keep: true },
} satisfies Record<keyof DeqOptions, true>;

/** Under this name a cell finds x beside its parameters. */
export const inputName = "the input of the layer";

/**
 * A deep equilibrium model as a layer: x ↦ z, z = f(z, x; θ), from z₀ = 0. Its parameters are those of the cell. Gradients are
 * those of `fixedPoint`: NaN where undoing steps lost them, which `fit` mends by storing states.
 *
 * @throws {OptionError} for options that there are not, or out of range
 */
export function deq(cell: DeqCell, options: DeqOptions = {}): Layer {
  checkOptions("deq", options, optionNames, {
    z0: "a layer starts from 0; fixedPoint takes a z0",
    tolerance: "say stop: { rtol }",
    maxSteps: "say stop: { maxSteps }",
  });
  const { shape, ...rest } = options;
  const { parameters, buffers = {} } = cell;
  return {
    parameters,
    buffers,
    apply: (b, theta, x, training) =>
      fixedPoint(b, cellOf(cell), {
        ...rest,
        ...{ given: { ...theta, [inputName]: x }, z0: startFor(b, x, shape), training: training ?? null },
      }).z,
  };
}

/** The cell of a layer, which reads x and θ among what it is given. */
export function cellOf({ name = "deq", apply }: DeqCell): Cell {
  return { name, apply: (b, { [inputName]: x, ...theta }, z) => apply(b, theta, z, x!) };
}

/** Zeros for as many samples as x has, whether or not that is known. */
function startFor(b: Builder, x: Value, shape: readonly number[] | undefined): Value {
  if (shape === undefined) return zerosLike(b, x);
  const each = zerosLike(b, reduceMax(b, x, axesFrom(x, 1), false));
  return add(b, reshape(b, each, [-1, ...shape.map(() => 1)]), zeros(b, x.dtype, [1, ...shape]));
}
