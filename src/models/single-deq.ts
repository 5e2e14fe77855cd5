import { type DeqCell, type DeqOptions, deq } from "../equilibrium/deq.js";
import { reversibleIteration } from "../equilibrium/reversible.js";
import { conv2d } from "../nn/convolution.js";
import { parametersOf, partOf } from "../nn/layer.js";
import { linear } from "../nn/linear.js";
import { groupNorm } from "../nn/normalisation.js";
import { sequential } from "../nn/sequential.js";
import { relu } from "../ops/activation.js";
import { add } from "../ops/arithmetic.js";
import { averagePool } from "../ops/pooling.js";
import { reshape } from "../ops/reshape.js";
import { defineModel } from "./model.js";

/**
 * f(z, x) = GN(relu(z + GN(x + conv(h)))), h = relu(GN(conv(z))), on images of so many channels
 *
 * @param widening  how many times as many channels h has
 * @see McCallum, Arora & Foster 2025, "Reversible Deep Equilibrium Models", arXiv:2509.12917
 */
export function convolutionalCell(channels: number, widening = 1): DeqCell {
  const inner = channels * widening;
  const groups = (width: number) => Math.max(1, width / 16);
  const parts = {
    conv1: conv2d(channels, inner, 3, { padding: 1, bias: false }),
    norm1: groupNorm(groups(inner), inner),
    conv2: conv2d(inner, channels, 3, { padding: 1, bias: false }),
    norm2: groupNorm(groups(channels), channels),
    norm3: groupNorm(groups(channels), channels),
  };
  return {
    name: "convolutional cell",
    ...parametersOf(parts),
    apply(b, theta, z, x) {
      const by = (name: keyof typeof parts, value: typeof z) =>
        parts[name].apply(b, partOf(theta, name), value);
      const h = relu(b, by("norm1", by("conv1", z)));
      return by("norm3", relu(b, add(b, z, by("norm2", add(b, x, by("conv2", h))))));
    },
  };
}

export interface SingleDeqOptions {
  /** of the images; 3 by default */
  readonly channels?: number;
  /** height and width of the images, a multiple of 4; 32 by default */
  readonly size?: number;
  /** channels of the state; 32 by default */
  readonly width?: number;
  /** as published by default: two steps of β = 0.8, a state in float64 whatever the weights are */
  readonly deq?: DeqOptions;
}

/**
 * A classifier of images into ten classes by one convolution, one equilibrium and a readout of 4 × 4 averages: 24 714 parameters
 * for CIFAR-10. Images are rows of pixels, [batch, channels · size · size].
 *
 * @see McCallum, Arora & Foster 2025, arXiv:2509.12917
 */
export function singleDeq(options: SingleDeqOptions = {}) {
  const { channels = 3, size = 32, width = 32 } = options;
  const published: DeqOptions = {
    solver: reversibleIteration({ relaxation: 0.8 }),
    stop: { rtol: 1e-6, atol: 1e-11, maxSteps: 2 },
    state: "float64",
  };
  const parts = {
    stem: sequential(conv2d(channels, width, 3, { padding: 1 }), groupNorm(Math.max(1, width / 16), width)),
    deq: deq(convolutionalCell(width), { ...published, ...options.deq }),
    readout: linear(16 * width, 10),
  };
  return defineModel({
    name: "single DEQ",
    ...parametersOf(parts),
    inputs: { image: { shape: [channels * size * size] } },
    apply(b, theta, { image }, training) {
      const x = reshape(b, image, [-1, channels, size, size]);
      const by = (name: keyof typeof parts, value: typeof x) =>
        parts[name].apply(b, partOf(theta, name), value, training);
      const cell = size / 4;
      const pooled = averagePool(b, by("deq", by("stem", x)), [cell, cell], { strides: [cell, cell] });
      return { logits: by("readout", reshape(b, pooled, [-1, 16 * width])) };
    },
  });
}
