import type { Builder } from "../graph/builder.js";
import { type Attributes, GraphError, type Value } from "../graph/graph.js";
import {
  Elu,
  HardSigmoid,
  LeakyRelu,
  relu,
  sigmoid,
  softplus,
  softsign,
  ThresholdedRelu,
} from "./activation.js";
import { add, mul } from "./arithmetic.js";
import { clip } from "./extrema.js";
import { tanh } from "./trigonometry.js";

// The activations of recurrent operators, which come as names with lists of parameters.

export type Activation = (b: Builder, x: Value) => Value;

interface Named {
  /** what α and β are unless given; those that are missing, the function does not take */
  readonly alpha?: number;
  readonly beta?: number;
  readonly apply: (b: Builder, x: Value, alpha: number, beta: number) => Value;
}

const activations: Readonly<Record<string, Named>> = {
  affine: { alpha: 1, beta: 0, apply: (b, x, alpha, beta) => add(b, mul(b, x, alpha), beta) },
  relu: { apply: relu },
  leakyrelu: { alpha: 0.01, apply: (b, x, alpha) => b.apply(LeakyRelu, [x], { alpha }) },
  thresholdedrelu: { alpha: 1, apply: (b, x, alpha) => b.apply(ThresholdedRelu, [x], { alpha }) },
  tanh: { apply: tanh },
  scaledtanh: { alpha: 1, beta: 1, apply: (b, x, alpha, beta) => mul(b, tanh(b, mul(b, x, beta)), alpha) },
  sigmoid: { apply: sigmoid },
  hardsigmoid: {
    alpha: 0.2,
    beta: 0.5,
    apply: (b, x, alpha, beta) => b.apply(HardSigmoid, [x], { alpha, beta }),
  },
  elu: { alpha: 1, apply: (b, x, alpha) => b.apply(Elu, [x], { alpha }) },
  softsign: { apply: softsign },
  softplus: { apply: softplus },
};

/**
 * The activations of each direction, in the order of the standard (f, g, h). α and β are taken from their lists by those that
 * have such a parameter, in order.
 *
 * @param otherwise  those of one direction, where none are named
 */
export function activationsOf(
  type: string,
  attributes: Attributes,
  directions: number,
  otherwise: readonly string[],
): Activation[][] {
  const each = otherwise.length;
  const names =
    (attributes.activations as readonly string[] | undefined) ??
    Array.from({ length: directions }, () => otherwise).flat();
  if (names.length !== each * directions) {
    throw new GraphError(
      `${type} needs ${each} activations for each of ${directions} directions, but "activations" names ${names.length}.`,
    );
  }
  const [alphas, betas] = ["activation_alpha", "activation_beta"].map((name) => [
    ...((attributes[name] as readonly number[] | undefined) ?? []),
  ]) as [number[], number[]];
  const all = names.map((name): Activation => {
    const found = activations[name.toLowerCase()];
    if (found === undefined) {
      throw new GraphError(
        `${type}: there is no activation ${JSON.stringify(name.slice(0, 40))}; there are ${Object.keys(activations).join(", ")}.`,
      );
    }
    const alpha = found.alpha === undefined ? 0 : (alphas.shift() ?? found.alpha);
    const beta = found.beta === undefined ? 0 : (betas.shift() ?? found.beta);
    return (b, x) => found.apply(b, x, alpha, beta);
  });
  const limit = attributes.clip as number | undefined;
  // the memory of an LSTM is not, as in ONNX Runtime
  const clipped = all.map((activation, i): Activation => {
    if (limit === undefined || i % each === 2) return activation;
    return (b, x) => activation(b, clip(b, x, -limit, limit));
  });
  return Array.from({ length: directions }, (_, d) => clipped.slice(d * each, (d + 1) * each));
}
