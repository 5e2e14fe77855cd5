import { type Activation, activations } from "../fields/activations.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { sigmoid } from "../ops/activation.js";
import { add, mul } from "../ops/arithmetic.js";
import { gemm, matmul } from "../ops/linalg.js";
import { reshape, transpose, unsqueeze } from "../ops/reshape.js";
import { fanIn } from "./initial.js";
import { activation, type Layer, LayerError, parametersOf, partOf } from "./layer.js";
import { sequential } from "./sequential.js";

/**
 * y = x Wᵀ + b on the last axis of x, [..., inputs] to [..., outputs].
 *
 * @throws {LayerError} for widths that are not positive whole numbers
 * @see torch.nn.Linear
 */
export function linear(
  inputs: number,
  outputs: number,
  { bias = true }: { readonly bias?: boolean } = {},
): Layer {
  checkWidths("linear", inputs, outputs);
  return {
    parameters: {
      weight: fanIn([outputs, inputs], inputs),
      ...(bias ? { bias: fanIn([outputs], inputs) } : {}),
    },
    apply(b, theta, x) {
      if (x.shape.at(-1) !== inputs) {
        throw new LayerError(
          `linear(${inputs}, ${outputs}) takes [..., ${inputs}], but was given ${showType(x)}.`,
        );
      }
      return affine(b, x, theta.weight!, theta.bias ?? null);
    },
  };
}

/** x Wᵀ + b */
export function affine(b: Builder, x: Value, weight: Value, bias: Value | null): Value {
  if (x.shape.length === 2 && bias !== null) return gemm(b, x, weight, bias, { transB: 1 });
  const product = matmul(b, x, transpose(b, weight, [1, 0]));
  return bias === null ? product : add(b, product, bias);
}

/**
 * A multilayer perceptron, linear layers with an activation between each two: widths [in, hidden …, out]. Its parameters
 * are those of a `Sequential`: `0.weight`, `2.weight`, …
 *
 * @throws {LayerError} for fewer than two widths
 */
export function mlp(
  widths: readonly number[],
  { activation: name = "tanh" }: { readonly activation?: Activation } = {},
): Layer {
  if (!Array.isArray(widths) || widths.length < 2) {
    throw new LayerError(
      `mlp takes the widths of its layers, [in, hidden …, out], but [${widths}] was given.`,
    );
  }
  if (!Object.hasOwn(activations, name)) {
    throw new LayerError(
      `There is no activation "${name}"; there are ${Object.keys(activations).join(", ")}.`,
    );
  }
  const layers = widths
    .slice(1)
    .flatMap((width, i) => [...(i === 0 ? [] : [activation(activations[name])]), linear(widths[i]!, width)]);
  return sequential(...layers);
}

/** A layer that is modulated by a second value, time as a rule. */
export interface ConditionedLayer extends Omit<Layer, "apply"> {
  /**
   * @param condition  a scalar, or [batch, 1]
   * @throws {LayerError} for one of another shape
   */
  readonly apply: (b: Builder, theta: Values, x: Value, condition: Value) => Value;
}

/**
 * y = (x Wᵀ + b) σ(t gᵀ + c) + t hᵀ, a linear layer that time gates and shifts.
 *
 * @see Grathwohl et al. 2019, "FFJORD", whose code calls it ConcatSquashLinear
 */
export function concatSquash(inputs: number, outputs: number): ConditionedLayer {
  const parts = {
    _layer: linear(inputs, outputs),
    _hyper_bias: linear(1, outputs, { bias: false }),
    _hyper_gate: linear(1, outputs),
  };
  return {
    ...parametersOf(parts),
    apply(b, theta, x, t) {
      if ((t.shape.at(-1) ?? 1) !== 1) {
        throw new LayerError(
          `concatSquash(${inputs}, ${outputs}) takes t as a scalar or [batch, 1], but was given ${showType(t)}.`,
        );
      }
      const ofTime = (name: "_hyper_gate" | "_hyper_bias") =>
        t.shape.length < 2
          ? ofOneNumber(b, t, partOf(theta, name))
          : parts[name].apply(b, partOf(theta, name), t);
      const [gate, shift] = [sigmoid(b, ofTime("_hyper_gate")), ofTime("_hyper_bias")];
      if (!isGatedAsWeights(x, t, inputs)) {
        return add(b, mul(b, parts._layer.apply(b, partOf(theta, "_layer"), x), gate), shift);
      }
      const { weight, bias } = partOf(theta, "_layer") as Record<"weight" | "bias", Value>;
      return affine(b, x, mul(b, weight, unsqueeze(b, gate, [1])), add(b, mul(b, bias, gate), shift));
    },
  };
}

/** t wᵀ + b of a single number, [outputs]: a product of numbers, which takes less than one of matrices does. */
function ofOneNumber(b: Builder, t: Value, { weight, bias }: Values): Value {
  const product = mul(b, reshape(b, weight!, [-1]), t);
  return bias === undefined ? product : add(b, product, bias);
}

/**
 * Whether there is less to multiply where the gate is taken into the weights, x (g ∘ W)ᵀ + (g b + s), than where it is taken of
 * each row: where all rows have one gate, and are a third as many as a row is wide. Then a layer is one product.
 */
function isGatedAsWeights(x: Value, t: Value, inputs: number): boolean {
  const [rows, ...others] = x.shape;
  return t.shape.length < 2 && others.length === 1 && typeof rows === "number" && 3 * rows >= inputs;
}

export function checkWidths(layer: string, ...widths: readonly number[]): void {
  if (widths.every((width) => Number.isInteger(width) && width > 0)) return;
  throw new LayerError(
    `The widths of ${layer} must be positive whole numbers, but ${widths.join(", ")} were given.`,
  );
}
