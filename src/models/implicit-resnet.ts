import { type DeqOptions, deq } from "../equilibrium/deq.js";
import { reversibleIteration } from "../equilibrium/reversible.js";
import type { Value } from "../graph/graph.js";
import { conv2d } from "../nn/convolution.js";
import { activation, type Layer, parametersOf, partOf, trainingOf } from "../nn/layer.js";
import { linear } from "../nn/linear.js";
import { batchNorm } from "../nn/normalisation.js";
import { residual, sequential } from "../nn/sequential.js";
import { relu } from "../ops/activation.js";
import { add } from "../ops/arithmetic.js";
import { reshape } from "../ops/reshape.js";
import { globalAveragePool } from "../ops/whole-axes.js";
import { defineModel } from "./model.js";
import { convolutionalCell } from "./single-deq.js";

const rectified = activation(relu);
const options = { padding: 1, bias: false };
// a share of 0.99 of what was known is kept of the statistics
const normed = (channels: number) => batchNorm(channels, { momentum: 0.01 });

/** Half the height and width: a residual block with its activations first, and a strided shortcut. */
function down(inputs: number, outputs: number): Layer {
  const parts = {
    block: sequential(
      normed(inputs),
      rectified,
      conv2d(inputs, outputs, 3, { ...options, stride: 2 }),
      normed(outputs),
      rectified,
      conv2d(outputs, outputs, 3, options),
    ),
    shortcut: conv2d(inputs, outputs, 1, { stride: 2, bias: false }),
  };
  return {
    ...parametersOf(parts),
    apply: (b, theta, x, training) =>
      add(
        b,
        parts.block.apply(b, partOf(theta, "block"), x, trainingOf(training, "block")),
        parts.shortcut.apply(b, partOf(theta, "shortcut"), x),
      ),
  };
}

export interface ImplicitResNetOptions {
  /** channels of the four stages */
  readonly stages?: readonly number[];
  /** how much wider their cells are inside */
  readonly widening?: readonly number[];
  /** of the images; 3 by default */
  readonly channels?: number;
  /** height and width of the images; 32 by default */
  readonly size?: number;
  readonly deq?: DeqOptions;
}

/**
 * A classifier of images into ten classes by x + DEQ(x) in four stages, with the resolution halved between them: 10 319 754
 * parameters for CIFAR-10. Images are [batch, channels, size, size].
 *
 * @see McCallum, Arora & Foster 2025, "Reversible Deep Equilibrium Models", arXiv:2509.12917
 */
export function implicitResNet({
  stages = [128, 256, 256, 128],
  widening = [1, 3, 3, 1],
  channels: colours = 3,
  size = 32,
  deq: own,
}: ImplicitResNetOptions = {}) {
  const settings: DeqOptions = {
    solver: reversibleIteration({ relaxation: 0.8 }),
    stop: { rtol: 1e-6, atol: 1e-11, maxSteps: 4 },
    state: "float64",
    ...own,
  };
  const body = stages.flatMap((channels, i) => [
    ...(i === 0 ? [] : [down(stages[i - 1]!, channels)]),
    residual(deq(convolutionalCell(channels, widening[i]!), settings)),
  ]);
  const parts = {
    stem: sequential(conv2d(colours, stages[0]!, 3, options), normed(stages[0]!), rectified),
    body: sequential(...body),
    readout: linear(stages.at(-1)!, 10),
  };
  return defineModel({
    name: "ImplicitResNet",
    ...parametersOf(parts),
    inputs: { image: { shape: [colours, size, size] } },
    apply(b, theta, { image }, training) {
      const by = (name: keyof typeof parts, x: Value) =>
        parts[name].apply(b, partOf(theta, name), x, trainingOf(training, name));
      const pooled = globalAveragePool(b, by("body", by("stem", image)));
      return { logits: by("readout", reshape(b, pooled, [-1, stages.at(-1)!])) };
    },
  });
}
