import { expect } from "chai";
import { RevortError } from "../../src/core/errors.js";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { mse } from "../../src/learning/losses.js";
import { adamw } from "../../src/learning/optimisers.js";
import type { DataStream } from "../../src/models/data-stream.js";
import { type Dataset, DatasetError, joinedSamples, takeSamples } from "../../src/models/dataset.js";
// under another name: linters take a call of fit for a focused test
import { type FitOptions, type FitResult, fit as trained } from "../../src/models/fit.js";
import { defineModel } from "../../src/models/model.js";
import { defineTask } from "../../src/models/task.js";
import { activation, dropout, linear, sequential } from "../../src/nn.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { failure } from "../support/failure.js";

const network = sequential(linear(2, 5), activation(tanh), dropout(0.2), linear(5, 1));
const task = defineTask({
  model: defineModel({
    name: "network",
    ...network,
    inputs: { x: { shape: [2] } },
    apply: (b, theta, { x }, training) => ({ y: network.apply(b, theta, x, training) }),
  }),
  targets: { y_: { shape: [1] } },
  loss: (b, { outputs, targets }) => mse().apply(b, outputs.y, targets.y_, null),
});

const random = Random.seeded(9);
const all = (count: number): Dataset => {
  const x = Array.from({ length: 2 * count }, () => random.normal());
  const y = Array.from({ length: count }, (_, i) => x[2 * i]! - x[2 * i + 1]! ** 2);
  return { x: tensor("float64", [count, 2], x), y_: tensor("float64", [count, 1], y) };
};
const data = all(120);
const between = (from: number, to: number) =>
  takeSamples(
    data,
    Array.from({ length: to - from }, (_, i) => from + i),
  );

/** Pieces of various sizes. */
function* pieces(from = 0) {
  const sizes = [1, 13, 4, 8, 30];
  for (let at = from, k = 0; at < 120; k++) {
    const to = Math.min(120, at + sizes[k % sizes.length]!);
    yield between(at, to);
    at = to;
  }
}

const values = ({ checkpoint: { seconds: _, trained: now, memory, best: __, ...rest } }: FitResult) => ({
  ...rest,
  trained: Object.values(now).map(numbers),
  memory: Object.values(memory).map(numbers),
});

describe("training on a stream of data", () => {
  const run = (stream: DataStream, options: Partial<FitOptions> = {}) =>
    trained(task, stream, {
      ...{ runtime: jit(), steps: 12, batchSize: 10, optimiser: adamw({ learningRate: 0.02 }), seed: 3 },
      ...options,
    });

  it("is, to the bit, that on the same batches where they are all there", async () => {
    // whole batches are taken as they are, the same one in each update
    const one = between(0, 10);
    const streamed = await run(
      (function* () {
        for (;;) yield one;
      })(),
    );
    const resident = await trained(task, one, {
      ...{ runtime: jit(), steps: 12, batchSize: 10, optimiser: adamw({ learningRate: 0.02 }), seed: 3 },
    });
    expect(streamed.losses).to.deep.equal(resident.losses);
    expect(Object.values(streamed.parameters).map(numbers)).to.deep.equal(
      Object.values(resident.parameters).map(numbers),
    );
  });

  it("does not depend on how data are cut in pieces, or how many updates one run does", async () => {
    const single = await run([data], { updatesPerRun: 1 });
    expect(new Set(single.losses).size).to.equal(12);
    for (const updatesPerRun of [1, 5, 12]) {
      expect(values(await run(pieces(), { updatesPerRun }))).to.deep.equal(values(single));
    }
    async function* later() {
      for (const piece of pieces()) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield piece;
      }
    }
    expect(values(await run(later()))).to.deep.equal(values(single));
  });

  it("goes on after the samples that were used, told so or passing over them", async () => {
    const whole = await run([data]);
    const { checkpoint } = await run([data], { steps: 5 });
    const told: number[] = [];
    const from = (used: number) => {
      told.push(used);
      return pieces(used);
    };
    expect(values(await run(from, { resume: checkpoint }))).to.deep.equal(values(whole));
    expect(told).to.deep.equal([50]);
    expect(values(await run(pieces(), { resume: checkpoint }))).to.deep.equal(values(whole));
  });

  it("ends where the stream does, without what does not fill a batch, and lets go of it", async () => {
    const result = await run([between(0, 37)], { steps: 100 });
    expect([result.stopped, result.losses.length]).to.deep.equal(["exhausted", 3]);
    let closed = false;
    await run(
      (function* () {
        try {
          for (;;) yield data;
        } finally {
          closed = true;
        }
      })(),
    );
    expect(closed).to.equal(true);
  });

  it("is measured on validation data after as many updates as are said", async () => {
    const { validations } = await run([data], { validation: between(0, 20), validateEvery: 5 });
    expect(validations.map(({ step }) => step)).to.deep.equal([0, 5, 10, 12]);
    const error = await failure(run([data], { validation: between(0, 20) }), RevortError);
    expect(error.message).to.include("no epochs");
  });

  it("refuses pieces that do not fit, by their number, and the checkpoint of data that were all there", async () => {
    const wrong = await failure(run([data, { x: data.x! }], { steps: 20 }), DatasetError);
    expect(wrong.message).to.include("Piece 2 of the training data lack");
    const { checkpoint } = await trained(task, data, { runtime: jit(), steps: 1, batchSize: 10 });
    expect((await failure(run([data], { resume: checkpoint }), RevortError)).message).to.include(
      "was on 120 samples that were all there",
    );
    const { checkpoint: streamed } = await run([data], { steps: 2 });
    const other = trained(task, data, { runtime: jit(), steps: 4, batchSize: 10, resume: streamed });
    expect((await failure(other, RevortError)).message).to.include("was on a stream");
  });

  it("refuses a stream that ends before its first batch, unless a run has used it up already", async () => {
    for (const [stream, count] of [
      [[], 0],
      [[between(0, 4), between(4, 9)], 9],
    ] as const) {
      const error = await failure(run(stream), DatasetError);
      expect(error.message).to.include(`ends after ${count} samples, but a batch takes 10`);
    }
    const { checkpoint } = await run([between(0, 15)]);
    expect((await run([between(0, 15)], { resume: checkpoint, steps: 20 })).stopped).to.equal("exhausted");
  });

  it("joins and cuts samples as they are", () => {
    const joined = joinedSamples([between(0, 3), between(3, 4), between(4, 120)]);
    for (const name of ["x", "y_"]) expect(numbers(joined[name]!)).to.deep.equal(numbers(data[name]!));
  });
});
