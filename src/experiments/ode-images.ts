import { type Optimiser, sgd } from "../learning/optimisers.js";
import type { Schedule } from "../learning/schedules.js";
import { imageClassifiers } from "./image-classifier.js";
import { cifar, type ImageCollection, mnist } from "./image-data.js";
import { odeNet } from "./ode-net.js";
import { methodOf } from "./protocol-solver.js";
import type { PreparedTask, TaskContext, TaskExperiment, TaskProtocol } from "./task-experiment.js";

/** Channels of the networks: in a minute or two on two cores, and as published. */
const widths: Readonly<Record<string, number>> = { small: 16, published: 64 };

const protocol: TaskProtocol = {
  ...{ solver: "midpoint", coupling: 0.99, gradient: "reversible", stepSize: 0.25, dtype: "float32" },
  ...{ steps: 2000, batchSize: 32, optimiser: "adam", learningRate: 1e-2, weightDecay: 0 },
  ...{ schedule: "cosine", clip: null, validateEvery: null, samples: 10_000, network: "small" },
};

/** As published, but for dopri5 with rtol = atol = 1e−3: a solve inside a model takes steps of a given size. */
const full = {
  steps: 75_000,
  batchSize: 128,
  learningRate: 0.1,
  schedule: null,
  samples: null,
  network: "published",
} as const;

function experimentOf(name: string, collection: ImageCollection): TaskExperiment {
  return {
    name,
    about: `images by an ODE-Net beside a residual network of equal parameters (Chen et al. 2018): ${collection.name}, or drawn shapes without --data`,
    data: { what: collection.what, files: 0, needed: false, filesIn: collection.filesIn },
    ...{ protocol, full, networks: Object.keys(widths) },
    prepare: (context) => prepare(name, collection, context),
  };
}

/** The classifier of Chen et al. 2018 on MNIST, and its twin. */
export const mnistOde = experimentOf("mnist-ode", mnist);
/** The same on CIFAR-10. */
export const cifarOde = experimentOf("cifar-ode", cifar);

function prepare(name: string, collection: ImageCollection, context: TaskContext): PreparedTask {
  const { protocol } = context;
  const { channels, size } = collection;
  const own = {
    method: methodOf(protocol),
    stepSize: protocol.stepSize,
    gradient: protocol.gradient,
    dtype: protocol.dtype,
  };
  const options = { ...own, channels, size, width: widths[protocol.network ?? "small"]! };
  const networks = { ode: odeNet(options, "ode"), residual: odeNet(options, "residual") };
  const prepared = imageClassifiers(name, collection, networks, context);
  const epoch = Math.ceil(
    prepared.training.image!.shape[0]! / (protocol.batchSize ?? prepared.training.image!.shape[0]!),
  );
  return {
    ...prepared,
    optimiser: withMomentum,
    // as published, a tenth of the rate from epochs 60, 100 and 140 on
    ...(protocol.network === "published" ? { schedule: () => epochDecay(epoch, [60, 100, 140]) } : {}),
  };
}

/** Gradient descent has a momentum of 0.9 here. */
function withMomentum(asked: Optimiser): Optimiser {
  return asked.name === "sgd" ? sgd({ learningRate: asked.learningRate, momentum: 0.9 }) : asked;
}

/** A tenth of the rate from each of some epochs on. */
function epochDecay(epoch: number, ends: readonly number[]): Schedule {
  return {
    name: `a tenth from epochs ${ends.join(", ")} on`,
    factor: (k) => 0.1 ** ends.filter((end) => k >= end * epoch).length,
  };
}
