// A GRU that reads a sine wave and says how many periods it has: trained, evaluated, and written as one file.
//
//   npx tsx --conditions=revort-source examples/sequences.ts

import { writeFileSync } from "node:fs";
import {
  accuracy,
  adamw,
  crossEntropy,
  type Dataset,
  defineModel,
  defineTask,
  encodePrediction,
  evaluate,
  fit,
  Random,
  splitDataset,
  tensor,
} from "revort";
import { endOfSequence, gruCell, linear, parametersOf, partOf } from "revort/nn";
import { zeros } from "revort/ops";

const length = 20;

/** Noisy sine waves of one to four periods in 20 steps, at random phases; the class is the number of periods minus one. */
export function waves(count: number, seed = 0): Dataset {
  const random = Random.seeded(seed);
  const classes = Array.from({ length: count }, () => random.integer(4));
  const series = classes.flatMap((periods) => {
    const phase = random.uniform(0, 2 * Math.PI);
    return Array.from(
      { length },
      (_, i) => Math.sin(phase + (2 * Math.PI * (periods + 1) * i) / length) + 0.1 * random.normal(),
    );
  });
  return {
    series: tensor("float64", [count, length, 1], series),
    periods: tensor("int64", [count], classes),
  };
}

const hidden = 16;
const parts = { cell: gruCell(1, hidden), readout: linear(hidden, 4) };

export const wavesTask = defineTask({
  model: defineModel({
    name: "waves",
    ...parametersOf(parts),
    inputs: { series: { shape: [length, 1] } },
    apply(b, theta, { series }) {
      const start = zeros(b, series.dtype, [series.shape[0] as number, hidden]);
      const [h] = endOfSequence(b, parts.cell, partOf(theta, "cell"), series, [start]);
      return { logits: parts.readout.apply(b, partOf(theta, "readout"), h) };
    },
  }),
  targets: { periods: { shape: [], type: "int64" } },
  loss: (b, { outputs, targets }) => crossEntropy(b, outputs.logits, targets.periods),
  metrics: { accuracy: (b, { outputs, targets }) => accuracy(b, outputs.logits, targets.periods) },
});

if (process.argv[1]?.endsWith("sequences.ts")) {
  const [training, validation] = splitDataset(waves(400), [0.8, 0.2]) as [Dataset, Dataset];
  const result = await fit(wavesTask, training, {
    ...{ validation, steps: 300, batchSize: 32, optimiser: adamw({ learningRate: 1e-2 }), clip: 1 },
    onValidation: ({ step, loss, metrics }) =>
      console.log(
        `update ${step}: validation loss ${loss.toFixed(4)}, accuracy ${metrics.accuracy!.toFixed(3)}`,
      ),
  });
  const { parameters } = result.best;
  const { metrics } = await evaluate(wavesTask, waves(200, 1), { parameters });
  console.log(`accuracy on new sequences ${metrics.accuracy!.toFixed(3)}`);
  writeFileSync("waves.onnx", encodePrediction(wavesTask.model, { parameters, batchSize: 1 }));
  console.log("written to waves.onnx: series [1, 20, 1] → logits [1, 4]");
}
