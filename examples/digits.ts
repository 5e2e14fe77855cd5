// A neural ODE that classifies handwritten digits: an encoder, a solve and a readout, trained with validation, evaluated,
// and written as one file that ONNX Runtime runs in any language.
//
//   npx tsx --conditions=revort-source examples/digits.ts [optdigits.tes]

import { readFileSync, writeFileSync } from "node:fs";
import {
  accuracy,
  adamw,
  cosine,
  crossEntropy,
  type Dataset,
  defineModel,
  defineTask,
  encodePrediction,
  evaluate,
  fit,
  midpoint,
  mlp,
  neuralOde,
  odeSolve,
  reversible,
  splitDataset,
  tensor,
} from "revort";
import { layerNorm, linear, parametersOf, partOf, sequential } from "revort/nn";
import { gather } from "revort/ops";

/** Reads UCI's optdigits: each line has 8 × 8 pixels from 0 to 16, then the digit. */
export function readDigits(path: string): Dataset {
  const rows = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(",").map(Number));
  return {
    image: tensor(
      "float64",
      [rows.length, 64],
      rows.flatMap((row) => row.slice(0, 64).map((pixel) => pixel / 16)),
    ),
    digit: tensor(
      "int64",
      [rows.length],
      rows.map((row) => row[64]!),
    ),
  };
}

/** Classifies images by a neural ODE with `width` components, solved from t = 0 to 1. */
export function digitsTask(width = 32, gradient: "reversible" | "direct" | "checkpoint" = "reversible") {
  const field = mlp({ dim: width, hidden: [width], time: true });
  const ode = neuralOde({ field, method: reversible(midpoint, { coupling: 0.99 }), stepSize: 0.1 });
  const parts = {
    encoder: sequential(linear(64, width), layerNorm(width)),
    field: { parameters: field.parameters },
    readout: linear(width, 10),
  };
  const model = defineModel({
    name: "digits",
    ...parametersOf(parts),
    inputs: { image: { shape: [64] } },
    apply(b, theta, { image }, training) {
      const y0 = parts.encoder.apply(b, partOf(theta, "encoder"), image);
      const ys = odeSolve(b, ode, {
        theta: partOf(theta, "field"),
        y0,
        t0: 0,
        times: [1],
        gradient,
        training,
      });
      return { logits: parts.readout.apply(b, partOf(theta, "readout"), gather(b, ys, 0)) };
    },
  });
  return defineTask({
    model,
    targets: { digit: { shape: [], type: "int64" } },
    loss: (b, { outputs, targets }) => crossEntropy(b, outputs.logits, targets.digit),
    metrics: { accuracy: (b, { outputs, targets }) => accuracy(b, outputs.logits, targets.digit) },
  });
}

// not where another example imports it
if (/[\\/]digits\.ts$/.test(process.argv[1] ?? "")) {
  const digits = readDigits(process.argv[2] ?? "examples/data/digits.csv");
  const [training, validation, test] = splitDataset(digits, [0.7, 0.15, 0.15]) as [Dataset, Dataset, Dataset];
  const task = digitsTask();
  const result = await fit(task, training, {
    ...{ validation, steps: 600, batchSize: 32, optimiser: adamw({ learningRate: 5e-3 }), clip: 1 },
    ...{ schedule: cosine({ steps: 600, warmup: 20 }), patience: 8 },
    onValidation: ({ step, loss, metrics }) =>
      console.log(
        `update ${step}: validation loss ${loss.toFixed(4)}, accuracy ${metrics.accuracy!.toFixed(3)}`,
      ),
  });
  const { parameters } = result.best;
  const { loss, metrics } = await evaluate(task, test, { parameters });
  console.log(
    `best at update ${result.best.step}; test loss ${loss.toFixed(4)}, accuracy ${metrics.accuracy!.toFixed(3)}`,
  );
  writeFileSync("digits.onnx", encodePrediction(task.model, { parameters }));
  console.log("written to digits.onnx: image [batch, 64] → logits [batch, 10]");
}
