// A latent ODE on irregularly sampled spirals: a GRU reads the points backwards and gives the distribution of the initial
// latent state, a neural ODE is solved from a sample of it, and a decoder maps the latent states to points.
//
//   npx tsx --conditions=revort-source examples/latent-spirals.ts
//
// Chen, Rubanova, Bettencourt & Duvenaud 2018, "Neural Ordinary Differential Equations", section 5.

import { writeFileSync } from "node:fs";
import {
  adam,
  type Dataset,
  defineModel,
  defineTask,
  encodePrediction,
  evaluate,
  mlp as field,
  fit,
  midpoint,
  neuralOde,
  normalNegativeLogDensity,
  odeSolve,
  Random,
  reversible,
  splitDataset,
  standardNormalDivergence,
  tensor,
} from "revort";
import { endOfSequence, gruCell, linear, mlp, parametersOf, partOf } from "revort/nn";
import { add, concat, exp, flip, mul, split, transpose, zeros } from "revort/ops";

/** How many points each spiral has, at irregular times that are the same for all. */
const points = 20;
const [latent, hidden] = [4, 24];
const noise = 0.1;

const clock = Random.seeded(12);
export const times = Array.from({ length: points }, () => clock.uniform(0.02, 1)).sort((s, t) => s - t);

/** Spirals that turn either way, from random angles, with noise. */
export function spirals(count: number, seed = 0): Dataset {
  const random = Random.seeded(seed);
  const rows = Array.from({ length: count }, () => {
    const [start, way] = [random.uniform(0, 2 * Math.PI), random.uniform() < 0.5 ? 1 : -1];
    return times.flatMap((t) => {
      const [angle, radius] = [start + way * 4 * t, 0.4 + 0.8 * (way > 0 ? t : 1 - t)];
      return [radius * Math.cos(angle), radius * Math.sin(angle)].map((x) => x + 0.05 * random.normal());
    });
  });
  return { path: tensor("float64", [count, points, 2], rows.flat()) };
}

const ode = neuralOde({
  field: field({ dim: latent, hidden: [20], time: false }),
  method: reversible(midpoint, { coupling: 0.99 }),
  stepSize: 0.05,
});
const parts = {
  encoder: gruCell(3, hidden),
  toLatent: linear(hidden, 2 * latent),
  field: { parameters: ode.field.parameters },
  decoder: mlp([latent, 20, 2]),
};

export const spiralsTask = defineTask({
  model: defineModel({
    name: "latent spirals",
    ...parametersOf(parts),
    inputs: { path: { shape: [points, 2] } },
    apply(b, theta, { path }, training) {
      const batch = path.shape[0] as number;
      // points with their times, read from the last to the first
      const column = tensor("float64", [points, 1], times);
      const clocked = concat(
        b,
        [path, add(b, zeros(b, path.dtype, [batch, points, 1]), b.constant(column))],
        2,
      );
      const start = zeros(b, path.dtype, [batch, hidden]);
      const [h] = endOfSequence(b, parts.encoder, partOf(theta, "encoder"), flip(b, clocked, 1), [start]);
      const [mean, logVariance] = split(b, parts.toLatent.apply(b, partOf(theta, "toLatent"), h), 1, [
        latent,
        latent,
      ]);
      // a sample during training, otherwise the mean
      const y0 =
        training === null
          ? mean!
          : add(b, mean!, mul(b, exp(b, mul(b, logVariance!, 0.5)), training.normal(b, [batch, latent])));
      const zs = odeSolve(b, ode, { theta: partOf(theta, "field"), y0, t0: 0, times, training });
      const decoded = parts.decoder.apply(b, partOf(theta, "decoder"), zs);
      return { path_: transpose(b, decoded, [1, 0, 2]), mean: mean!, logVariance: logVariance! };
    },
  }),
  targets: {},
  // the negative evidence lower bound, per point and coordinate
  loss(b, { outputs, inputs }) {
    const fitted = normalNegativeLogDensity(
      b,
      inputs.path,
      outputs.path_,
      b.scalar("float64", 2 * Math.log(noise)),
    );
    const divergence = standardNormalDivergence(b, outputs.mean, outputs.logVariance);
    return add(b, fitted, mul(b, divergence, 1 / (2 * points)));
  },
});

if (process.argv[1]?.endsWith("latent-spirals.ts")) {
  const [training, validation] = splitDataset(spirals(300), [0.8, 0.2]) as [Dataset, Dataset];
  const result = await fit(spiralsTask, training, {
    ...{
      validation,
      steps: 600,
      batchSize: 40,
      optimiser: adam({ learningRate: 1e-2 }),
      clip: 10,
      validateEvery: 60,
    },
    onValidation: ({ step, loss }) => console.log(`update ${step}: validation loss ${loss.toFixed(4)}`),
  });
  const { parameters } = result.best;
  const { loss } = await evaluate(spiralsTask, spirals(100, 1), { parameters });
  console.log(`loss on new spirals ${loss.toFixed(4)}`);
  writeFileSync("spirals.onnx", encodePrediction(spiralsTask.model, { parameters, batchSize: 1 }));
  console.log("written to spirals.onnx: path [1, 20, 2] → path_ [1, 20, 2], mean, logVariance [1, 4]");
}
