import { numbers, type Tensor } from "../core/tensor.js";
import { encodePrediction } from "../deploy/model-file.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { evidence } from "../learning/evidence.js";
import type { Normal } from "../learning/likelihoods.js";
import { mse } from "../learning/losses.js";
import { takeSamples } from "../models/dataset.js";
import { predict } from "../models/measuring.js";
import { defineModel } from "../models/model.js";
import { defineTask } from "../models/task.js";
import { klAnnealing } from "../nn/annealing.js";
import { parametersOf, partOf, trainingOf } from "../nn/layer.js";
import { add, div, sub } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import type { Chart, Panel } from "../plot/chart.js";
import { irregularModels } from "./irregular-models.js";
import { periodicNoise, periodicSeries, periodicSizes } from "./periodic-series.js";
import type {
  PreparedTask,
  TaskContext,
  TaskExperiment,
  TaskProtocol,
  TrainedTask,
} from "./task-experiment.js";

const { places, seen } = periodicSizes;
const sizes = { training: 800, test: 200 };

/** Waves seen at irregular times, filled in by a latent ODE and four other models. */
export const irregularPeriodic: TaskExperiment = {
  name: "irregular-periodic",
  about:
    "waves seen at irregular times and filled in: latent ODE and ODE-RNN beside GRU-D and RNNs (Rubanova et al. 2019)",
  data: null,
  protocol: {
    ...{ solver: "midpoint", coupling: null, gradient: "direct", stepSize: 1, dtype: "float32" },
    ...{ steps: 800, batchSize: 50, optimiser: "adamax", learningRate: 2e-2, weightDecay: 0 },
    ...{ clip: null, validateEvery: null },
  },
  full: { steps: 8000, learningRate: 1e-2 },
  prepare,
};

const modelNames = {
  latentOde: "latent ODE",
  odeRnn: "ODE-RNN",
  gruD: "GRU-D",
  rnnGaps: "RNN with time gaps",
  rnnVae: "RNN with a latent variable",
} as const;
type ModelName = keyof typeof modelNames;
const names = Object.keys(modelNames) as ModelName[];
/** Those that have a latent variable. */
const latents = ["latentOde", "rnnVae"] as const;

/** All models side by side: none reads another's parameters, so each is trained as it would be by itself. */
function modelOf(protocol: TaskProtocol) {
  const models = irregularModels(1, protocol);
  const annealing = klAnnealing({ wait: 10 });
  return defineModel({
    name: "irregular-periodic",
    ...parametersOf({ ...models, annealing }),
    inputs: {
      ...{ values: { shape: [places, 1] }, mask: { shape: [places, 1] }, times: { shape: [places] } },
      ...{ seenValues: { shape: [seen, 1] }, seenTimes: { shape: [seen] } },
    },
    apply(b, theta, { seenValues, seenTimes, ...all }, training) {
      const some = { values: seenValues, times: seenTimes, mask: add(b, zerosLike(b, seenValues), 1) };
      const found = names.map(
        (name) => [name, models[name].apply(b, partOf(theta, name), { all, seen: some }, training)] as const,
      );
      const annealed = trainingOf(training, "annealing");
      return Object.fromEntries([
        ...found.map(([name, { expected }]) => [name, expected]),
        ...found.flatMap(([name, { posterior }]) =>
          posterior === undefined
            ? []
            : [
                [`${name}Mean`, posterior.mean],
                [`${name}LogVariance`, posterior.logVariance],
              ],
        ),
        ...(annealed === null ? [] : [["weight", annealing.weight(b, partOf(theta, "annealing"), annealed)]]),
      ]) as Found;
    },
  });
}

type Found = Readonly<Record<ModelName | `${(typeof latents)[number]}${"Mean" | "LogVariance"}`, Value>> & {
  /** of divergences, in training */
  readonly weight?: Value;
};

type PeriodicModel = ReturnType<typeof modelOf>;

function taskOf(model: PeriodicModel) {
  const posterior = (found: Found, name: (typeof latents)[number]): Normal => ({
    mean: found[`${name}Mean`],
    logVariance: found[`${name}LogVariance`],
  });
  const explained = (b: Builder, found: Found, values: Value, name: (typeof latents)[number]) =>
    evidence(b, {
      ...{ x: values, decoded: found[name], deviation: periodicNoise },
      ...{ posterior: posterior(found, name), weight: found.weight ?? 1 },
    }).loss;
  /** of what was not seen */
  const error = (name: ModelName) => ({
    [`${name}Error`]: (
      b: Builder,
      { outputs, inputs }: { readonly outputs: Found; readonly inputs: Readonly<Record<string, Value>> },
    ) => mse().apply(b, outputs[name], inputs.values!, sub(b, 1, inputs.mask!)),
  });
  return defineTask({
    model,
    targets: {},
    // those with a latent variable by the evidence, the others by squares in the same units
    loss(b, { outputs, inputs: { values } }) {
      const squares = names
        .filter((name) => !latents.includes(name as (typeof latents)[number]))
        .map((name) =>
          div(b, mse().apply(b, outputs[name], values, null), (2 * periodicNoise ** 2) / places),
        );
      const bounds = latents.map((name) => explained(b, outputs, values, name));
      return [...squares, ...bounds].reduce((sum, term) => add(b, sum, term));
    },
    metrics: Object.assign({}, ...names.map(error)) as Readonly<
      Record<`${ModelName}Error`, ReturnType<typeof error>[string]>
    >,
  });
}

function prepare({ protocol }: TaskContext): PreparedTask {
  const { dtype } = protocol;
  const model = modelOf(protocol);
  const data = (count: number, seed: number) => periodicSeries(count, { seed, dtype });
  const test = data(sizes.test, 1);
  return {
    task: taskOf(model),
    training: data(sizes.training, 0),
    ...{ validation: null, test },
    files: ({ parameters }) => ({
      "predict.onnx": encodePrediction({ ...model, buffers: {} }, { parameters, dtype }),
    }),
    charts: async (trained) => ({ series: await drawn(model, takeSamples(test, [0, 1]), trained) }),
  };
}

/** Two series that were not trained on: what is seen, what is not, and what each model makes of it. */
async function drawn(
  model: PeriodicModel,
  data: Readonly<Record<string, Tensor>>,
  { runtime, parameters, buffers, dtype }: TrainedTask,
): Promise<Chart> {
  const found = await predict(model, data, { runtime, parameters, buffers, dtype });
  const row = (of: Tensor, k: number) => {
    const width = of.data.length / of.shape[0]!;
    return numbers(of).slice(k * width, (k + 1) * width);
  };
  const panels = names.flatMap((name) =>
    [0, 1].map((k): Panel => {
      const [x, y, mask] = [row(data.times!, k), row(data.values!, k), row(data.mask!, k)];
      const where = (value: number) => ({
        x: x.filter((_, i) => mask[i] === value),
        y: y.filter((_, i) => mask[i] === value),
      });
      return {
        ...{ title: modelNames[name], x: { title: "t" }, y: { title: "x", domain: [-1.6, 1.6] } },
        ...{ width: 300, height: 150 },
        layers: [
          { kind: "line", name: "expected", color: "vermillion", x, y: row(found[name]!, k) },
          { kind: "points", name: "seen", color: "blue", ...where(1) },
          { kind: "points", name: "not seen", color: "grey", ...where(0) },
        ],
      };
    }),
  );
  return { title: "Waves at irregular times, filled in", columns: 2, panels };
}
