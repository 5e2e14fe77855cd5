import { checkOptions, OptionError, showValue } from "../core/options.js";
import type { Random } from "../core/random.js";
import { ShapeError, sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul } from "../ops/arithmetic.js";
import { expandTo } from "../ops/broadcast.js";
import { gemm } from "../ops/linalg.js";
import { reshape, squeeze } from "../ops/reshape.js";
import { concat, split } from "../ops/slicing.js";
import { type Activation, activations } from "./activations.js";
import type { Parameter, Values, VectorField } from "./field.js";

export interface MlpOptions {
  /** number of components of the state */
  readonly dim: number;
  /** widths of the hidden layers; none makes the field affine */
  readonly hidden: readonly number[];
  readonly activation?: Activation;
  /** whether the field sees time, as the first input: concat[t, y] */
  readonly time?: boolean;
  readonly name?: string;
  readonly components?: readonly string[];
}

const optionNames = {
  ...{ dim: true, hidden: true, activation: true, time: true, name: true, components: true },
} satisfies Record<keyof MlpOptions, true>;

const elsewhere = {
  ...{
    width: "widths are hidden: [32, 32]",
    widths: "widths are hidden: [32, 32]",
    layers: "widths are hidden: [32, 32]",
  },
  ...{
    depth: "widths are hidden: [32, 32]",
    autonomous: "say time: false",
    inputs: "say dim",
    seed: "the seed belongs to train",
  },
};

/**
 * A multilayer perceptron as a vector field:
 *
 *   f(t, y) = W_L σ(… σ(W_0 x + b_0) …) + b_L,   x = [t, y] or y
 *
 * on states [batch, dim]. Parameters are `layers.i.weight` [out, in] and `layers.i.bias` [out], drawn from
 * U(−1/√in, 1/√in) as in PyTorch and Equinox.
 *
 * @throws {ShapeError} for widths that are not positive whole numbers
 * @throws {OptionError} for an activation or an option that there is not
 */
export function mlp(options: MlpOptions): VectorField {
  checkOptions("mlp", options, optionNames, elsewhere);
  const { dim, hidden, activation = "tanh", time = true, name, components } = options;
  if (!Array.isArray(hidden)) {
    throw new OptionError(
      `mlp takes the widths of its hidden layers, hidden: [32, 32], but ${showValue(hidden)} was given.`,
    );
  }
  if (!Object.hasOwn(activations, activation)) {
    throw new OptionError(
      `There is no activation ${showValue(activation)}; there are ${Object.keys(activations).join(", ")}.`,
    );
  }
  const inputs = dim + (time ? 1 : 0);
  if (![dim, ...hidden].every((width) => Number.isInteger(width) && width > 0)) {
    throw new ShapeError(
      `The widths of a perceptron must be positive whole numbers, but ${hidden} were given for ${dim} components.`,
    );
  }
  const { parameters, apply } = perceptron({ inputs, hidden, outputs: dim, activation });
  return {
    name: name ?? `mlp(${hidden.join("-")}, ${activation})`,
    state: ["batch", dim],
    parameters,
    ...(components === undefined ? {} : { components }),
    apply: (b, theta, t, y) => apply(b, theta, time ? withTime(b, t, y) : y),
  };
}

export interface PerceptronOptions {
  readonly inputs: number;
  readonly hidden: readonly number[];
  readonly outputs: number;
  readonly activation: Activation;
  /** whether its outputs are 0 before training: the weights and biases of its last layer are */
  readonly startsAtZero?: boolean;
}

/** W_L σ(… σ(W_0 x + b_0) …) + b_L on rows x, [batch, inputs], with its parameters. */
export function perceptron({
  inputs,
  hidden,
  outputs,
  activation,
  startsAtZero = false,
}: PerceptronOptions): {
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly apply: (b: Builder, theta: Values, x: Value) => Value;
} {
  const widths = [inputs, ...hidden, outputs];
  const layers = widths.slice(1).map((out, i) => ({ out, in: widths[i]! }));
  const parameters: Record<string, Parameter> = {};
  for (const [i, layer] of layers.entries()) {
    const made = startsAtZero && i === layers.length - 1 ? zeros : uniform;
    parameters[`layers.${i}.weight`] = made([layer.out, layer.in], layer.in);
    parameters[`layers.${i}.bias`] = made([layer.out], layer.in);
  }
  return {
    parameters,
    apply: (b, theta, start) =>
      layers.reduce((x, _, i) => {
        const z = gemm(b, x, theta[`layers.${i}.weight`]!, theta[`layers.${i}.bias`]!, { transB: 1 });
        return i < layers.length - 1 ? activations[activation](b, z) : z;
      }, start),
  };
}

function zeros(shape: readonly number[]): Parameter {
  return { shape, initial: () => new Array<number>(sizeOf(shape)).fill(0) };
}

/** U(−1/√in, 1/√in) */
function uniform(shape: readonly number[], inputs: number): Parameter {
  const bound = 1 / Math.sqrt(inputs);
  return {
    shape,
    initial: (random: Random) =>
      Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.uniform(-bound, bound)),
  };
}

/** [t, y] along the last axis: a time for all rows, or one for each, [batch, 1]. */
export function withTime(b: Builder, t: Value, y: Value): Value {
  const last = y.shape.length - 1;
  const column = split(b, y, last, [1, (y.shape[last] as number) - 1])[0]!;
  const each =
    t.shape.length === 0
      ? reshape(
          b,
          t,
          y.shape.map(() => 1),
        )
      : t;
  return concat(b, [expandTo(b, each, column), y], last);
}

/** [t, y] Wᵀ + b of rows y and one time t for all of them, without the array [t, y]: the column of t goes to the bias. */
export function affineWithTime(b: Builder, t: Value, y: Value, weight: Value, bias: Value): Value {
  const inputs = weight.shape[1] as number;
  const [ofTime, ofState] = split(b, weight, 1, [1, inputs - 1]) as [Value, Value];
  const shift = add(b, mul(b, squeeze(b, ofTime, [1]), t), bias);
  return gemm(b, y, ofState, shift, { transB: 1 });
}
