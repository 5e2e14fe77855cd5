// Series observed at times of their own, with gaps: masks and times by name are data like all others. A neural ODE is fitted
// to all of them at once, on batches that come from a generator and are gone through in parts.
//
//   npx tsx --conditions=revort-source examples/irregular-series.ts

import {
  adamw,
  type Dataset,
  defineModel,
  defineTask,
  evaluate,
  fit,
  midpoint,
  mlp,
  mse,
  neuralOde,
  odeSolve,
  plateau,
  Random,
  reversible,
  tensor,
} from "revort";
import { add, concat, gather, mul, reduceSum, unsqueeze } from "revort/ops";

/** How many observations a series may have: those that it does not have are masked. */
const places = 8;

/** Damped oscillations from random starts, each observed at times of its own between 0 and 3, with some values missing. */
export function series(count: number, seed: number): Dataset {
  const random = Random.seeded(seed);
  const rows = Array.from({ length: count }, () => {
    const [x, y] = [random.normal(), random.normal()];
    const times = Array.from({ length: places }, () => random.uniform(0, 3)).sort((s, t) => s - t);
    const values = times.flatMap((t) => {
      const [c, s, damping] = [Math.cos(2 * t), Math.sin(2 * t), Math.exp(-0.3 * t)];
      return [damping * (c * x - s * y), damping * (s * x + c * y)];
    });
    // what is masked may be any number: here 0
    const mask = values.map(() => (random.uniform() < 0.3 ? 0 : 1));
    const gaps = times.map((t, k) => t - (times[k - 1] ?? 0));
    return { start: [x, y], gaps, values: values.map((value, i) => value * mask[i]!), mask };
  });
  const all = (of: (row: (typeof rows)[number]) => number[], ...shape: number[]) =>
    tensor("float64", [count, ...shape], rows.flatMap(of));
  return {
    start: all((row) => row.start, 2),
    gaps: all((row) => row.gaps, places, 1),
    values: all((row) => row.values, places, 2),
    mask: all((row) => row.mask, places, 2),
  };
}

const oscillator = mlp({ dim: 2, hidden: [16], time: false });
/**
 * From one observation to the next: dy/ds = Δ f(y) from s = 0 to 1, where Δ is how far these two of a series are apart. The
 * field reads it beside its parameters.
 */
const ode = neuralOde({
  field: {
    ...oscillator,
    apply: (b, theta, s, y) => mul(b, theta.gap!, oscillator.apply(b, theta, s, y)),
  },
  method: reversible(midpoint),
  stepSize: 0.25,
});

export const seriesTask = defineTask({
  model: defineModel({
    name: "irregular series",
    parameters: oscillator.parameters,
    inputs: { start: { shape: [2] }, gaps: { shape: [places, 1] } },
    apply(b, theta, { start, gaps }, training) {
      let y = start;
      const path = Array.from({ length: places }, (_, k) => {
        const own = { theta: { ...theta, gap: gather(b, gaps, k, 1) }, y0: y, t0: 0, times: [1], training };
        y = gather(b, odeSolve(b, ode, own), 0);
        return y;
      });
      return {
        path: concat(
          b,
          path.map((state) => unsqueeze(b, state, [1])),
          1,
        ),
      };
    },
  }),
  targets: { values: { shape: [places, 2] }, mask: { shape: [places, 2] } },
  // a mean over what was observed
  loss: (b, { outputs, targets }) => mse().apply(b, outputs.path, targets.values, targets.mask),
  weigh: (b, { mask }) => reduceSum(b, mask),
  // starts are known to 0.01
  augment: (b, data, training) => ({
    ...data,
    start: add(b, data.start, mul(b, training.normal(b, data.start.shape as number[]), 0.01)),
  }),
});

/** New series for ever, from a seed for each piece. */
export async function* unending(used = 0) {
  for (let piece = Math.floor(used / 64); ; piece++) yield series(64, 100 + piece);
}

if (process.argv[1]?.endsWith("irregular-series.ts")) {
  const result = await fit(seriesTask, unending, {
    ...{ steps: 400, batchSize: 64, parts: 2, optimiser: adamw({ learningRate: 1e-2 }) },
    ...{ validation: series(200, 1), validateEvery: 50, schedule: plateau({ patience: 1, gamma: 0.3 }) },
    onValidation: ({ step, loss }) => console.log(`update ${step}: validation loss ${loss.toFixed(5)}`),
  });
  const { loss } = await evaluate(seriesTask, series(200, 2), { parameters: result.best.parameters });
  console.log(`loss on new series ${loss.toFixed(5)}`);
}
