import type { Value } from "../graph/graph.js";
import { plateau } from "../learning/schedules.js";
import { implicitResNet } from "../models/implicit-resnet.js";
import type { Model } from "../models/model.js";
import { singleDeq } from "../models/single-deq.js";
import { reshape } from "../ops/reshape.js";
import { imageClassifiers } from "./image-classifier.js";
import { cifar, type ImageCollection, mnist } from "./image-data.js";
import type { ImageNetwork } from "./ode-net.js";
import type { PreparedTask, TaskContext, TaskExperiment, TaskProtocol } from "./task-experiment.js";

interface Shape {
  readonly channels: number;
  readonly size: number;
}

/** The networks by name: what takes a minute or two on two cores, and what is published. */
const networks: Readonly<Record<string, (shape: Shape) => ImageNetwork>> = {
  small: (shape) => flat(singleDeq({ ...shape, width: 16 }), shape),
  single: (shape) => flat(singleDeq(shape), shape),
  "small-resnet": (shape) =>
    whole(implicitResNet({ ...shape, stages: [16, 32, 32, 16], widening: [1, 1, 1, 1] })),
  "implicit-resnet": (shape) => whole(implicitResNet(shape)),
};

type Classifier = Pick<Model, "parameters" | "buffers"> & { readonly apply: (...given: never) => unknown };

/** A model of one image to logits as a network. */
function networkOf(
  model: Classifier,
  image: (...given: Parameters<ImageNetwork["apply"]>) => Value,
): ImageNetwork {
  const apply = model.apply as unknown as Model<{ image: { shape: number[] } }, { logits: Value }>["apply"];
  return {
    ...{ parameters: model.parameters, buffers: model.buffers ?? {} },
    apply: (b, theta, x, training) =>
      apply(b, theta, { image: image(b, theta, x, training) }, training).logits,
  };
}

const whole = (model: Classifier) => networkOf(model, (_, __, image) => image);
/** Takes images as rows of pixels. */
const flat = (model: Classifier, { channels, size }: Shape) =>
  networkOf(model, (b, _, image) => reshape(b, image, [-1, channels * size * size]));

const protocol: TaskProtocol = {
  // the equilibria have a solver of their own: the reversible iteration, β = 0.8, undone on the way back
  ...{ solver: "midpoint", coupling: null, gradient: "reversible", stepSize: 1, dtype: "float32" },
  ...{ steps: 200, batchSize: 32, optimiser: "adamw", learningRate: 3e-3, weightDecay: 1e-4 },
  ...{ clip: null, validateEvery: null, samples: 1000, network: "small" },
};

/** What differs for digits, which more updates learn nearly whole. */
const forDigits = { steps: 1000, learningRate: 1e-2, schedule: "cosine", samples: 10_000 } as const;

/** As published: 100 epochs of 50 000 images. */
const full = {
  ...{ steps: 78_100, batchSize: 64, learningRate: 1e-3, schedule: null },
  ...{ samples: null, network: "single" },
} as const;

function experimentOf(
  name: string,
  collection: ImageCollection,
  own: Partial<TaskProtocol> = {},
): TaskExperiment {
  return {
    name,
    about: `images by a deep equilibrium model, undone on the way back (McCallum, Arora & Foster 2025): ${collection.name}, or drawn shapes without --data`,
    data: { what: collection.what, files: 0, needed: false, filesIn: collection.filesIn },
    ...{ protocol: { ...protocol, ...own }, full, networks: Object.keys(networks) },
    unused: ["solver", "coupling", "reversible", "gradient", "stepSize"],
    prepare: (context) => prepare(name, collection, context),
  };
}

/** The vision models of the RevDEQ paper on MNIST. */
export const deqMnist = experimentOf("deq-mnist", mnist, forDigits);
/** The same on CIFAR-10, as published. */
export const deqCifar = experimentOf("deq-cifar", cifar);

function prepare(name: string, collection: ImageCollection, context: TaskContext): PreparedTask {
  const network = networks[context.protocol.network ?? "small"]!(collection);
  return {
    ...imageClassifiers(name, collection, { deq: network }, context),
    schedule: () => plateau({ gamma: 0.5, patience: 10, every: 200 }),
  };
}
