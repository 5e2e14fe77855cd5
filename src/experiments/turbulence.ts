import { type FloatDType, numbers, type Tensor, tensor } from "../core/tensor.js";
import { encodePrediction } from "../deploy/model-file.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { normalDivergence } from "../learning/likelihoods.js";
import { effectivelySymmetric } from "../methods/effectively-symmetric.js";
import type { SdeKind } from "../methods/sde-method.js";
import { ees25 } from "../methods/tableaux.js";
import type { Dataset } from "../models/dataset.js";
import { predict } from "../models/measuring.js";
import { defineTask } from "../models/task.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { reduceMean } from "../ops/reduce.js";
import { slice } from "../ops/slice.js";
import type { Chart } from "../plot/chart.js";
import { oncePerModel } from "./once-per-model.js";
import { sdeSolverOf } from "./protocol-solver.js";
import { resolvedFlow } from "./sabra.js";
import type { PreparedTask, TaskContext, TaskExperiment } from "./task-experiment.js";
import { coarse, turbulenceModels } from "./turbulence-model.js";
import { type Paths, statisticsOf, turbulenceChart } from "./turbulence-statistics.js";

/** The diffusion does not read the state, so that both calculi are the same. */
const kind: SdeKind = { calculus: "stratonovich", noise: "additive" };

/** In units of the coarse time, about the turnover of the last shell that is resolved. */
const interval = 0.4;
const window = 8;
/** observations of each flow, and from one sample of it to the next */
const [observations, stride] = [1000, 3];
/** Of what is observed, in units of the size of a shell. */
const deviation = 0.2;
/** paths that are followed in the end, from states of a flow that was not trained on, and how long */
const [followed, length] = [16, 200];

/** The closure of a coarse turbulent flow by a latent SDE, beside a plain network and no closure at all. */
export const turbulence: TaskExperiment = {
  name: "turbulence",
  about:
    "six shells of a turbulent flow (Sabra's), the others left to a latent SDE whose encoder is a transformer (niLES, Boral et al. 2023)",
  data: null,
  protocol: {
    ...{ solver: "reversible-heun", coupling: null, gradient: "reversible", stepSize: 0.1, dtype: "float32" },
    ...{ steps: 600, batchSize: 32, optimiser: "adam", learningRate: 3e-3, weightDecay: 0 },
    ...{ clip: 10, validateEvery: 100 },
  },
  sde: kind,
  full: { stepSize: 0.05, steps: 10_000, batchSize: 64, learningRate: 1e-3 },
  prepare,
};

type Model = ReturnType<typeof turbulenceModels>["model"];

/** Of each observed number, so that the parts of the loss are of one size whatever the window. */
const perNumber = 1 / (window * coarse);

function taskOf(model: Model) {
  type Found = ReturnType<Model["apply"]>;
  const error = (b: Builder, found: Value, xs: Value) => {
    const off = sub(b, found, slice(b, xs, 1, 1, window + 1));
    return reduceMean(b, mul(b, off, off));
  };
  const divergence = (b: Builder, o: Found) =>
    add(
      b,
      reduceMean(b, o.pathDivergence),
      normalDivergence(
        b,
        { mean: o.startMean, logVariance: o.startLogVariance },
        { mean: o.priorMean, logVariance: o.priorLogVariance },
      ),
    );
  return defineTask({
    model,
    targets: {},
    // −log p up to a constant, the divergence of the laws, and the error of the network, which shares nothing with them
    loss(b, { outputs, inputs }) {
      const misfit = add(b, error(b, outputs.stochastic, inputs.xs), error(b, outputs.network, inputs.xs));
      return add(b, mul(b, misfit, 0.5 / deviation ** 2), mul(b, divergence(b, outputs), perNumber));
    },
    metrics: {
      posteriorError: (b, { outputs, inputs }) => error(b, outputs.stochastic, inputs.xs),
      networkError: (b, { outputs, inputs }) => error(b, outputs.network, inputs.xs),
      divergence: (b, { outputs }) => divergence(b, outputs),
    },
  });
}

function prepare({ protocol }: TaskContext): PreparedTask {
  const { stepSize, dtype } = protocol;
  const { model, sampler, deterministic } = turbulenceModels({
    ...{ interval, window, stepSize, dtype, odeMethod: effectivelySymmetric(ees25) },
    ...sdeSolverOf(protocol, kind, "turbulence"),
  });
  const flowOf = (phase: number) => resolvedFlow({ phase, interval, count: observations });
  const flows = [1, 2, 3, 4].map(flowOf);
  const unseen = flowOf(5);
  const times = Array.from({ length }, (_, k) => (k + 1) * interval);
  const starts = Array.from({ length: followed }, (_, i) =>
    Math.floor((i * (observations - length - 1)) / followed),
  );
  const truth: Paths = starts.map((from) => unseen.slice(from + 1, from + 1 + length));

  type Followed = Readonly<Record<string, Paths>>;
  /** Paths by each model from the same states. */
  const followedBy = oncePerModel(async ({ runtime, parameters }): Promise<Followed> => {
    const options = { runtime, parameters, dtype };
    const u0 = tensor(
      dtype,
      [followed, coarse],
      starts.flatMap((from) => unseen[from]!),
    );
    const plain = async (isClosed: boolean) =>
      pathsOf((await predict(deterministic(times, isClosed), { u0 }, options)).u);
    const stochastic = await predict(sampler(times), { u0, seed: seeds(followed) }, options);
    return {
      ...{ "whole flow": truth, "not closed": await plain(false), network: await plain(true) },
      "latent SDE": pathsOf(stochastic.u),
    };
  });
  return {
    task: taskOf(model),
    training: joined(flows.map((flow) => windowsOf(flow, dtype, 0))),
    validation: null,
    test: windowsOf(unseen, dtype, 1),
    files: ({ parameters }) => ({
      "sample.onnx": encodePrediction(sampler(times.slice(0, window)), { parameters, dtype }),
      "reconstruct.onnx": encodePrediction(model, { parameters, dtype }),
    }),
    findings: async (trained) => statisticsOf(await followedBy(trained), interval),
    charts: async (trained) => {
      const paths = await followedBy(trained);
      return { turbulence: turbulenceChart(paths, statisticsOf(paths, interval), interval) satisfies Chart };
    },
  };
}

/** Windows of a flow, each with a seed. */
function windowsOf(flow: readonly (readonly number[])[], dtype: FloatDType, seed: number): Dataset {
  const begins = Array.from(
    { length: Math.floor((flow.length - window - 1) / stride) },
    (_, i) => i * stride,
  );
  const xs = begins.flatMap((from) => flow.slice(from, from + window + 1).flat());
  return { xs: tensor(dtype, [begins.length, window + 1, coarse], xs), seed: seeds(begins.length, seed) };
}

function joined(sets: readonly Dataset[]): Dataset {
  const count = sets.reduce((sum, { seed }) => sum + seed!.shape[0]!, 0);
  const { dtype, shape } = sets[0]!.xs!;
  const xs = sets.flatMap((set) => numbers(set.xs!));
  return { xs: tensor(dtype, [count, ...shape.slice(1)], xs), seed: seeds(count) };
}

const seeds = (count: number, from = 0): Tensor =>
  tensor(
    "int64",
    [count],
    Array.from({ length: count }, (_, i) => BigInt(1000 * from + i)),
  );

/** [paths, times, coarse] as lists. */
function pathsOf(u: Tensor): Paths {
  const all = numbers(u);
  const [paths, times] = u.shape as [number, number];
  return Array.from({ length: paths }, (_, p) =>
    Array.from({ length: times }, (_, k) =>
      all.slice((p * times + k) * coarse, (p * times + k + 1) * coarse),
    ),
  );
}
