import { Random } from "../core/random.js";
import { numbers, type Tensor, tensor } from "../core/tensor.js";
import { encodePrediction } from "../deploy/model-file.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { normalDivergence, normalNegativeLogDensity } from "../learning/likelihoods.js";
import type { SdeKind } from "../methods/sde-method.js";
import type { Dataset } from "../models/dataset.js";
import { predict } from "../models/measuring.js";
import { defineTask } from "../models/task.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { reduceMean } from "../ops/reduce.js";
import type { Chart, Panel } from "../plot/chart.js";
import { latentModel, publishedWidths } from "./latent-model.js";
import { sdeSolverOf } from "./protocol-solver.js";
import { lorenzPaths } from "./stochastic-lorenz.js";
import type { PreparedTask, TaskContext, TaskExperiment, TrainedTask } from "./task-experiment.js";

/** The published series go from 0 to 2. */
const end = 2;

/** Of what is observed: 0.01 where published, with the divergence weighed less in the first 1000 updates. */
const deviation = 0.05;

const kind: SdeKind = { calculus: "stratonovich", noise: "diagonal" };

const sizes = { training: 1024, test: 128 };

/** Series of the stochastic Lorenz attractor, by a latent SDE whose prior then makes such series. */
export const latentSde: TaskExperiment = {
  name: "latent-sde",
  about: "series of the stochastic Lorenz attractor, by a latent SDE (Li et al. 2020)",
  data: null,
  protocol: {
    ...{
      solver: "reversible-heun",
      coupling: null,
      gradient: "reversible",
      stepSize: 0.05,
      dtype: "float32",
    },
    ...{ steps: 800, batchSize: 32, optimiser: "adam", learningRate: 1e-2, weightDecay: 0 },
    ...{ schedule: "cosine", clip: 1000, validateEvery: null },
  },
  sde: kind,
  full: { stepSize: 0.01, steps: 5000, batchSize: 1024, learningRate: 1e-2, schedule: null, clip: null },
  prepare,
};

/** −log p(x | z) + KL of z0 + KL of the path, for one series, and each of them. */
function taskOf(model: ReturnType<typeof latentModel>["model"]) {
  const [length, observed] = model.inputs.xs.shape as readonly [number, number];
  type Found = Readonly<Record<"series" | "mean" | "logVariance" | "pathDivergence", Value>>;
  const logLikelihood = (b: Builder, xs: Value, { series }: Found) => {
    const variance = b.scalar(xs.dtype, 2 * Math.log(deviation));
    return mul(b, normalNegativeLogDensity(b, xs, series, variance), -length * observed);
  };
  const startDivergence = (b: Builder, { mean, logVariance }: Found, theta: Values) =>
    normalDivergence(
      b,
      { mean, logVariance },
      { mean: theta["z0.mean"]!, logVariance: theta["z0.logVariance"]! },
    );
  const pathDivergence = (b: Builder, outputs: Found) => reduceMean(b, outputs.pathDivergence);
  return defineTask({
    model,
    targets: {},
    loss: (b, { outputs, inputs, theta }) =>
      sub(
        b,
        add(b, startDivergence(b, outputs, theta), pathDivergence(b, outputs)),
        logLikelihood(b, inputs.xs, outputs),
      ),
    metrics: {
      logLikelihood: (b, { outputs, inputs }) => logLikelihood(b, inputs.xs, outputs),
      startDivergence: (b, { outputs, theta }) => startDivergence(b, outputs, theta),
      pathDivergence: (b, { outputs }) => pathDivergence(b, outputs),
    },
  });
}

function prepare({ protocol }: TaskContext): PreparedTask {
  const { stepSize, dtype } = protocol;
  const intervals = Math.max(1, Math.round(end / Math.max(stepSize, 0.02)));
  const times = Array.from({ length: intervals + 1 }, (_, k) => (k * end) / intervals);
  const { model, sampler } = latentModel({
    ...{ times, observed: 3, widths: publishedWidths, stepSize, dtype },
    ...sdeSolverOf(protocol, kind, "latent-sde"),
  });
  const data = (paths: number, seed: number): Dataset => ({
    xs: lorenzPaths(paths, times, { seed, deviation, dtype }),
    seed: seeds(paths),
  });
  const test = data(sizes.test, 2);
  return {
    task: taskOf(model),
    training: data(sizes.training, 1),
    validation: null,
    test,
    files: ({ parameters }) => ({
      "sample.onnx": encodePrediction(sampler, { parameters, dtype }),
      "reconstruct.onnx": encodePrediction(model, { parameters, dtype }),
    }),
    async charts(trained) {
      const { runtime, parameters } = trained;
      const given = { runtime, parameters, dtype };
      const shown = 5;
      const few = (value: Tensor): Tensor =>
        tensor(
          dtype,
          [shown, ...value.shape.slice(1)],
          numbers(value).slice(0, (value.data.length / value.shape[0]!) * shown),
        );
      const posterior = await predict(model, { xs: few(test.xs!), seed: seeds(shown) }, given);
      const free = await samples(sampler, trained, shown);
      return {
        series: seriesChart(times, { data: few(test.xs!), posterior: posterior.series, prior: free }),
      };
    },
  };
}

function seeds(count: number): Tensor {
  return tensor(
    "int64",
    [count],
    Array.from({ length: count }, (_, i) => BigInt(i)),
  );
}

async function samples(
  sampler: ReturnType<typeof latentModel>["sampler"],
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
  return (await predict(sampler, { noise, seed: seeds(count) }, { runtime, parameters, dtype })).series;
}

/** Each component of some series over time: the data, what the posterior makes of them, and paths of the prior. */
function seriesChart(times: readonly number[], all: Readonly<Record<string, Tensor>>): Chart {
  const colors = { data: "black", posterior: "blue", prior: "vermillion" } as const;
  const panels = ["x", "y", "z"].flatMap((component, k) =>
    Object.entries(all).map(([name, series]): Panel => {
      const values = numbers(series);
      const [paths, length] = [series.shape[0]!, times.length];
      return {
        ...(k === 0 ? { title: name } : {}),
        ...{ x: { title: "t" }, y: { title: component, domain: [-3, 3] }, width: 220, height: 120 },
        layers: Array.from({ length: paths }, (_, path) => ({
          ...{ kind: "line", color: colors[name as keyof typeof colors], x: times },
          y: times.map((_time, i) => values[(path * length + i) * 3 + k]!),
        })),
      };
    }),
  );
  return {
    title: "Stochastic Lorenz attractor: data, posterior and prior of a latent SDE",
    columns: 3,
    panels,
  };
}
