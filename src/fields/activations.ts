import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { elu, leakyRelu, relu, sigmoid, softplus } from "../ops/activation.js";
import { mul } from "../ops/arithmetic.js";
import { gelu } from "../ops/erf.js";
import { sin, tanh } from "../ops/trigonometry.js";

/** The activations of a multilayer perceptron, by the names that users type. */
export const activations = {
  tanh,
  sigmoid,
  relu,
  "leaky-relu": (b: Builder, x: Value) => leakyRelu(b, x),
  elu: (b: Builder, x: Value) => elu(b, x),
  softplus,
  gelu: (b: Builder, x: Value) => gelu(b, x),
  /** x σ(x) */
  silu: (b: Builder, x: Value) => mul(b, x, sigmoid(b, x)),
  sin,
  identity: (_: Builder, x: Value) => x,
} as const satisfies Record<string, (b: Builder, x: Value) => Value>;

export type Activation = keyof typeof activations;
