// A deep equilibrium model that classifies handwritten digits: what a convolution sees is brought to a fixed point by the
// reversible iteration, whose gradient needs no stored states. Trained with validation, evaluated, and written as one file.
//
//   npx tsx --conditions=revort-source examples/deq-digits.ts [optdigits.tes]
//
// McCallum, Arora & Foster 2025, "Reversible Deep Equilibrium Models", arXiv:2509.12917

import { writeFileSync } from "node:fs";
import {
  accuracy,
  adamw,
  cosine,
  crossEntropy,
  type Dataset,
  type DeqCell,
  type DeqOptions,
  defineModel,
  defineTask,
  deq,
  encodePrediction,
  evaluate,
  fit,
  reversibleIteration,
  splitDataset,
} from "revort";
import { conv2d, groupNorm, linear, parametersOf, partOf, sequential } from "revort/nn";
import { add, averagePool, relu, reshape } from "revort/ops";
import { readDigits } from "./digits.js";

/**
 * f(z, x) = GN(relu(z + GN(x + conv(h)))), h = relu(GN(conv(z))), on images of so many channels
 *
 * @param widening  how many times as many channels h has
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

/** As published: two steps of β = 0.8, a state in float64 whatever the weights are. */
const published: DeqOptions = {
  solver: reversibleIteration({ relaxation: 0.8 }),
  stop: { rtol: 1e-6, atol: 1e-11, maxSteps: 2 },
  state: "float64",
};

export interface SingleDeqOptions {
  /** of the images */
  readonly channels?: number;
  /** height and width of the images, a multiple of 4 */
  readonly size?: number;
  /** channels of the state */
  readonly width?: number;
  readonly deq?: DeqOptions;
}

/** One convolution, one equilibrium, a readout of 4 × 4 averages: 24 714 parameters for CIFAR-10. */
export function singleDeq(options: SingleDeqOptions = {}) {
  const { channels = 3, size = 32, width = 32 } = options;
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

/** Classifies the images of `readDigits`. */
export function deqDigitsTask(options: SingleDeqOptions = {}) {
  return defineTask({
    model: singleDeq({ channels: 1, size: 8, width: 16, ...options }),
    targets: { digit: { shape: [], type: "int64" } },
    loss: (b, { outputs, targets }) => crossEntropy(b, outputs.logits, targets.digit),
    metrics: { accuracy: (b, { outputs, targets }) => accuracy(b, outputs.logits, targets.digit) },
  });
}

if (process.argv[1]?.endsWith("deq-digits.ts")) {
  const digits = readDigits(process.argv[2] ?? "examples/data/digits.csv");
  const [training, validation, test] = splitDataset(digits, [0.7, 0.15, 0.15]) as [Dataset, Dataset, Dataset];
  const task = deqDigitsTask();
  const result = await fit(task, training, {
    ...{ validation, steps: 300, batchSize: 32, optimiser: adamw({ learningRate: 5e-3 }), dtype: "float32" },
    ...{ schedule: cosine({ steps: 300, warmup: 20 }), patience: 10 },
    onValidation: ({ step, loss, metrics }) =>
      console.log(
        `update ${step}: validation loss ${loss.toFixed(4)}, accuracy ${metrics.accuracy!.toFixed(3)}`,
      ),
  });
  const { parameters } = result.best;
  const { loss, metrics } = await evaluate(task, test, { parameters, dtype: "float32" });
  console.log(
    `best at update ${result.best.step}; test loss ${loss.toFixed(4)}, accuracy ${metrics.accuracy!.toFixed(3)}`,
  );
  writeFileSync("deq-digits.onnx", encodePrediction(task.model, { parameters, dtype: "float32" }));
  console.log("written to deq-digits.onnx: image [batch, 64] → logits [batch, 10]");
}
