import { tensor } from "../core/tensor.js";
import { encodePrediction } from "../deploy/model-file.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { accuracy, crossEntropy } from "../learning/likelihoods.js";
import { type Dataset, takeSamples } from "../models/dataset.js";
import { predict } from "../models/measuring.js";
import { defineModel, type Model, type SampleType } from "../models/model.js";
import { defineTask } from "../models/task.js";
import { parametersOf, partOf, trainingOf } from "../nn/layer.js";
import { add, div, sub } from "../ops/arithmetic.js";
import { type Confusion, confusionChart, confusionOf } from "./confusion.js";
import { type ImageCollection, imageData, shifted } from "./image-data.js";
import type { ImageNetwork } from "./ode-net.js";
import { oncePerModel } from "./once-per-model.js";
import type { PreparedTask, TaskContext, TrainedTask } from "./task-experiment.js";

/** Networks by name, that are trained side by side on the same images. */
export type ImageNetworks = Readonly<Record<string, ImageNetwork>>;

/**
 * Networks on images as a task: the sum of their cross-entropies, of which none reads another's parameters, so that each is
 * trained as it would be by itself. Images are shifted at random by up to four pixels, and mirrored where that is usual.
 */
export function imageClassifiers(
  name: string,
  collection: ImageCollection,
  networks: ImageNetworks,
  { files, protocol: { dtype, samples = null } }: TaskContext,
): PreparedTask {
  const { channels, size, mirrored } = collection;
  const names = Object.keys(networks);
  const ofChannels = (b: Builder, values: readonly number[]) =>
    b.constant(tensor(dtype, [channels, 1, 1], values));
  const model = defineModel({
    name,
    ...parametersOf(networks),
    inputs: { image: { shape: [channels, size, size] } },
    apply(b, theta: Values, { image }, training) {
      const standardised = div(
        b,
        sub(b, image, ofChannels(b, collection.mean)),
        ofChannels(b, collection.deviation),
      );
      return Object.fromEntries(
        names.map((each): [string, Value] => [
          each,
          networks[each]!.apply(b, partOf(theta, each), standardised, trainingOf(training, each)),
        ]),
      );
    },
  });
  type Compared = {
    readonly outputs: Readonly<Record<string, Value>>;
    readonly targets: { readonly label: Value };
  };
  const of =
    (measure: typeof crossEntropy, each: string) =>
    (b: Builder, { outputs, targets }: Compared) =>
      measure(b, outputs[each]!, targets.label);
  const task = defineTask({
    model,
    targets: { label: { shape: [], type: "int64" } },
    augment: (b, { image, label }, training) => ({
      image: shifted(b, image, { mirrored }, training),
      label,
    }),
    loss: (b, compared) =>
      names.map((each) => of(crossEntropy, each)(b, compared)).reduce((sum, loss) => add(b, sum, loss)),
    metrics: Object.fromEntries(
      names.flatMap((each) => {
        const own = names.length === 1 ? (what: string) => what.toLowerCase() : (what: string) => each + what;
        return [
          [own("Accuracy"), of(accuracy, each)],
          ...(names.length === 1 ? [] : [[own("Loss"), of(crossEntropy, each)] as const]),
        ];
      }),
    ),
  });
  const { training, test, classes } = imageData(collection, { files, samples, dtype });
  const confusion = oncePerModel((trained) => confusions(names, model, test, trained));
  return {
    ...{ task, training, validation: null, test },
    files: ({ parameters, buffers }) => ({
      "predict.onnx": encodePrediction(model, { parameters, buffers, dtype }),
    }),
    findings: async (trained) => ({
      data: files.length > 0 ? collection.name : "drawn shapes",
      parametersOfEach: Object.fromEntries(names.map((each) => [each, countOf(networks[each]!)])),
      classes,
      confusion: await confusion(trained),
    }),
    charts: async (trained) => ({
      confusion: confusionChart(classes, await confusion(trained), Math.min(shown, test.label!.shape[0]!)),
    }),
  };
}

function countOf({ parameters }: ImageNetwork): number {
  return Object.values(parameters)
    .map(({ shape }) => shape.reduce((product, dim) => product * dim, 1))
    .reduce((sum, size) => sum + size, 0);
}

/** Test images that confusion matrices are of, at most. */
const shown = 500;

/** For each network, which classes of some test images it takes for which. */
async function confusions(
  names: readonly string[],
  model: Model<{ readonly image: SampleType }>,
  test: Dataset,
  { runtime, parameters, buffers, dtype }: TrainedTask,
): Promise<Readonly<Record<string, Confusion>>> {
  const some = Array.from({ length: Math.min(shown, test.label!.shape[0]!) }, (_, i) => i);
  const { image, label } = takeSamples(test, some);
  const found = await predict(model, { image: image! }, { runtime, parameters, buffers, dtype });
  return Object.fromEntries(names.map((name) => [name, confusionOf(label!, found[name]!)]));
}
