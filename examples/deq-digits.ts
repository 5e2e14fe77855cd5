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
  defineTask,
  encodePrediction,
  evaluate,
  fit,
  type SingleDeqOptions,
  singleDeq,
  splitDataset,
} from "revort";
import { readDigits } from "./digits.js";

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
