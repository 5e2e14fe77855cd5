import { Random } from "../core/random.js";
import { numbers, type Tensor, tensor } from "../core/tensor.js";
import { encodePrediction } from "../deploy/model-file.js";
import { inGroups } from "../learning/groups.js";
import type { SdeKind } from "../methods/sde-method.js";
import { predict } from "../models/measuring.js";
import { defineTask } from "../models/task.js";
import { sub } from "../ops/arithmetic.js";
import { reduceMean } from "../ops/reduce.js";
import type { Chart, Layer, Panel } from "../plot/chart.js";
import { oncePerModel } from "./once-per-model.js";
import { ouPaths, pathTimes } from "./ou-paths.js";
import { sdeSolverOf } from "./protocol-solver.js";
import { sdeGan, sdeGanGroups } from "./sde-gan-model.js";
import type { PreparedTask, TaskContext, TaskExperiment, TrainedTask } from "./task-experiment.js";

const kind: SdeKind = { calculus: "stratonovich", noise: "general" };

const sizes = { training: 8192, test: 1024 };

/** Paths of an Ornstein–Uhlenbeck process with time, by a neural SDE that is trained against a neural CDE. */
export const ouSdeGan: TaskExperiment = {
  name: "ou-sde-gan",
  about: "paths of an Ornstein–Uhlenbeck process, by an SDE-GAN (Kidger et al. 2021)",
  data: null,
  protocol: {
    ...{ solver: "reversible-heun", coupling: null, gradient: "reversible", stepSize: 1, dtype: "float32" },
    ...{ steps: 4000, batchSize: 128, optimiser: "rmsprop", learningRate: 1e-4, weightDecay: 0 },
    ...{ schedule: "cosine", clip: null, validateEvery: null },
  },
  sde: kind,
  full: { steps: 10_000, batchSize: 1024, learningRate: 2e-5, schedule: null },
  prepare,
};

function prepare({ protocol }: TaskContext): PreparedTask {
  const { stepSize, dtype } = protocol;
  const { model, sampler } = sdeGan({
    times: pathTimes,
    stepSize,
    dtype,
    ...sdeSolverOf(protocol, kind, "ou-sde-gan"),
  });
  const task = defineTask({
    model,
    targets: {},
    loss: (b, { outputs }) => sub(b, reduceMean(b, outputs.real), reduceMean(b, outputs.fake)),
    metrics: {
      realScore: (b, { outputs }) => reduceMean(b, outputs.real),
      fakeScore: (b, { outputs }) => reduceMean(b, outputs.fake),
    },
  });
  const data = (count: number, seed: number, missing: number) => ({
    ys: ouPaths(count, { seed, dtype, missing }),
    seed: seeds(count),
  });
  const test = data(sizes.test, 2, 0);
  const compared = oncePerModel(async (trained) => ({
    real: overTime(test.ys),
    generated: overTime(await samples(sampler, trained, sizes.test)),
  }));
  return {
    task,
    training: data(sizes.training, 1, 0.3),
    validation: null,
    test,
    optimiser: (base) => inGroups(base, sdeGanGroups),
    files: ({ parameters }) => ({
      "sample.onnx": encodePrediction(sampler, { parameters: generatorsOf(parameters), dtype }),
    }),
    async findings(trained) {
      const all = await compared(trained);
      const at = [0, 21, 42, 63];
      const shown = (statistics: Statistics) =>
        Object.fromEntries(
          Object.entries(statistics).map(([name, values]) => [name, at.map((t) => values[t]!)]),
        );
      return { times: at, real: shown(all.real), generated: shown(all.generated) };
    },
    charts: async (trained) => ({ statistics: statisticsChart(await compared(trained)) }),
  };
}

const generatorsOf = <T>(parameters: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(parameters).filter(([name]) => name.startsWith("generator.")));

function seeds(count: number): Tensor {
  return tensor(
    "int64",
    [count],
    Array.from({ length: count }, (_, i) => BigInt(i)),
  );
}

async function samples(
  sampler: ReturnType<typeof sdeGan>["sampler"],
  { runtime, parameters, dtype }: TrainedTask,
  count: number,
): Promise<Tensor> {
  const random = Random.seeded(0);
  const width = sampler.inputs.noise.shape[0]!;
  const noise = tensor(
    dtype,
    [count, width],
    Array.from({ length: count * width }, () => random.normal()),
  );
  const given = { runtime, dtype, parameters: generatorsOf(parameters) };
  return (await predict(sampler, { noise, seed: seeds(count) }, given)).ys;
}

/** Of paths, at each time. */
type Statistics = Readonly<
  Record<"mean" | "deviation" | "fifth" | "median" | "ninetyFifth", readonly number[]>
>;

/** Mean, standard deviation and quantiles of paths [paths, times, 1], over the paths. */
function overTime(ys: Tensor): Statistics {
  const values = numbers(ys);
  const [paths, length] = ys.shape as readonly [number, number];
  const columns = Array.from({ length }, (_, t) =>
    Array.from({ length: paths }, (_path, i) => values[i * length + t]!).sort((x, y) => x - y),
  );
  const means = columns.map((column) => column.reduce((sum, y) => sum + y, 0) / paths);
  const quantile = (q: number) => columns.map((column) => column[Math.floor(q * (paths - 1))]!);
  return {
    mean: means,
    deviation: columns.map((column, t) =>
      Math.sqrt(column.reduce((sum, y) => sum + (y - means[t]!) ** 2, 0) / paths),
    ),
    ...{ fifth: quantile(0.05), median: quantile(0.5), ninetyFifth: quantile(0.95) },
  };
}

function statisticsChart({ real, generated }: Readonly<Record<"real" | "generated", Statistics>>): Chart {
  const colors = { real: "black", generated: "vermillion" } as const;
  const lines = (of: keyof Statistics): Layer[] =>
    Object.entries({ real, generated }).map(([name, statistics]) => ({
      ...{ kind: "line", name, color: colors[name as keyof typeof colors] },
      ...{ x: pathTimes, y: statistics[of] },
    }));
  const panel = (title: string, of: readonly (keyof Statistics)[]): Panel => ({
    title,
    ...{ x: { title: "t" }, y: { title: "y" }, width: 260, height: 180 },
    layers: of.flatMap(lines),
  });
  return {
    title: "Ornstein–Uhlenbeck paths: real and generated",
    columns: 3,
    panels: [
      panel("mean", ["mean"]),
      panel("standard deviation", ["deviation"]),
      panel("5, 50 and 95 % of the paths", ["fifth", "median", "ninetyFifth"]),
    ],
  };
}
