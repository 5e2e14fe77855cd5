import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { deqCifar, deqMnist } from "../../src/experiments/deq-images.js";
import { drawnShapes } from "../../src/experiments/drawn-shapes.js";
import { cifar, imageData, mnist, shifted } from "../../src/experiments/image-data.js";
import { mnistOde } from "../../src/experiments/ode-images.js";
import { odeNet } from "../../src/experiments/ode-net.js";
import type { TaskExperiment } from "../../src/experiments/task-experiment.js";
import { methodNamed } from "../../src/methods/named.js";
import { takeSamples } from "../../src/models/dataset.js";
import { fit as trainedOn } from "../../src/models/fit.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { DataError } from "../../src/storage/data-error.js";
import { bareSession } from "../deploy/bare.js";
import { valuesOf } from "../support/evaluate.js";
import { prepared } from "./prepared.js";

const sizeOf = (parameters: Readonly<Record<string, { readonly shape: readonly number[] }>>) =>
  Object.values(parameters).reduce((sum, { shape }) => sum + shape.reduce((p, d) => p * d, 1), 0);

describe("experiments on images", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  it("have the published networks, and twins of equal parameters", async () => {
    const method = methodNamed("midpoint");
    const options = { method, stepSize: 0.25, gradient: "direct", dtype: "float32" } as const;
    for (const kind of ["ode", "residual"] as const) {
      const { parameters } = odeNet({ ...options, channels: 1, size: 28, width: 64 }, kind);
      // torchdiffeq's example prints "Number of parameters: 208266"
      expect(sizeOf(parameters), kind).to.equal(208_266);
    }
    const counted = async (experiment: TaskExperiment, network: string) =>
      sizeOf((await prepared(experiment, { network, samples: 4 })).task.model.parameters);
    expect(await counted(deqCifar, "single")).to.equal(24_714);
    expect(await counted(deqCifar, "implicit-resnet")).to.equal(10_319_754);
  });

  for (const [experiment, network] of [
    [mnistOde, "small"],
    [deqMnist, "small"],
  ] as const) {
    it(`learn, draw and write models that run by themselves: ${experiment.name}, ${network}`, async () => {
      const { task, training, files, findings } = await prepared(experiment, { network, samples: 4 });
      const few = takeSamples(training, [0, 1, 2, 3]);
      const { best, losses } = await trainedOn(task, few, {
        runtime,
        steps: 2,
        batchSize: 4,
        dtype: "float32",
      });
      expect(losses.every(Number.isFinite)).to.equal(true);
      const trained = { runtime, dtype: "float32", ...best } as const;
      expect(await findings?.(trained)).to.include({ data: "drawn shapes" });
      const session = await bareSession(files(trained)["predict.onnx"]!);
      const outputs = await session.run({ image: few.image as Tensor });
      const sum = (name: string) => numbers(outputs[name]!).reduce((s, x) => s + x, 0);
      for (const [name, value] of Object.entries(outputs)) {
        expect(value.shape, name).to.deep.equal([4, 10]);
        expect(sum(name), name).to.be.finite;
      }
    });
  }

  it("shift images by whole pixels, with 0 from outside, and mirror them where that is asked for", async () => {
    const image = tensor("float64", [1, 1, 2, 3], [1, 2, 3, 4, 5, 6]);
    const drawn = async (draws: readonly number[], mirrored: boolean) => {
      let next = 0;
      const { found } = await valuesOf((b) => ({
        found: shifted(
          b,
          b.constant(image),
          { margin: 1, mirrored },
          {
            uniform: (inner) => inner.constant(tensor("float64", [1, 1, 1], [draws[next++]!])),
            normal: () => expect.fail("no normal numbers are asked for"),
            keep: () => expect.fail("nothing is kept"),
          },
        ),
      }));
      return found;
    };
    // the middle of three offsets leaves the image where it is
    expect(await drawn([0.5, 0.5], false)).to.deep.equal([1, 2, 3, 4, 5, 6]);
    // the first row and column of what is around
    expect(await drawn([0, 0], false)).to.deep.equal([0, 0, 0, 0, 1, 2]);
    expect(await drawn([0.99, 0.5], false)).to.deep.equal([4, 5, 6, 0, 0, 0]);
    expect(await drawn([0.5, 0.1, 0.5], true)).to.deep.equal([3, 2, 1, 6, 5, 4]);
    expect(await drawn([0.5, 0.9, 0.5], true)).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it("take the files of a folder that they know, and say what they looked for", () => {
    const four = ["train-images", "train-labels", "t10k-images", "t10k-labels"];
    const names = four.map((start) => `${start}-idx${start.endsWith("images") ? 3 : 1}-ubyte.gz`);
    expect(mnist.filesIn(["readme", ...names, names[0]!.replace(".gz", "")], "m")).to.deep.equal([
      names[0]!.replace(".gz", ""),
      ...names.slice(1),
    ]);
    const batches = ["data_batch_2.bin", "data_batch_1.bin", "test_batch.bin", "batches.meta.txt"];
    expect(cifar.filesIn(batches, "c")).to.deep.equal([
      ...["data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"],
    ]);
    expect(() => mnist.filesIn(["a", "b"], "folder")).to.throw(
      DataError,
      "folder: MNIST's train-images-idx…-ubyte (packed by gzip or not) were looked for, but there is a, b",
    );
    expect(() => cifar.filesIn(["data_batch_1", "test_batch"], "c")).to.throw(DataError, "(binary version)");
  });

  it("draw ten kinds of shapes, as many of each, and take some of them where not all are wanted", () => {
    const { labels } = drawnShapes({ count: 40, channels: 3, size: 32, seed: 0 });
    expect([...labels].filter((label) => label === 3)).to.have.length(4);
    const { training, test } = imageData(mnist, { files: [], samples: 100, dtype: "float32" });
    expect(training.image!.shape).to.deep.equal([100, 1, 28, 28]);
    expect(test.image!.shape).to.deep.equal([25, 1, 28, 28]);
    const all = numbers(training.image!);
    expect(Math.min(...all)).to.equal(0);
    expect(Math.max(...all)).to.equal(1);
  });
});
