import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { SizeError } from "../../src/core/size.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import type { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { sgd } from "../../src/learning/optimisers.js";
import { fit as trained } from "../../src/models/fit.js";
import { evaluate } from "../../src/models/measuring.js";
import { defineModel } from "../../src/models/model.js";
import { type AnyTask, defineTask } from "../../src/models/task.js";
import { activation, linear, sequential } from "../../src/nn.js";
import { div, mul, sub } from "../../src/ops/arithmetic.js";
import { expand, reduceSum } from "../../src/ops/broadcast.js";
import { sqrt } from "../../src/ops/elementwise.js";
import { reduceMean } from "../../src/ops/reduce.js";
import { cast } from "../../src/ops/reshape.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { oneThread } from "../../src/runtimes/threads.js";
import { failure } from "../support/failure.js";

const runtime = jit();

/** y = w x of each sample, with w = 1. */
const model = defineModel({
  ...{ name: "scale", inputs: { x: { shape: [2] } } },
  parameters: { w: { shape: [], initial: () => [1] } },
  apply: (b, { w }, { x }) => ({ y: mul(b, x, w!) }),
});
const parameters = { w: tensor("float64", [], [1]) };
const meanSquare = (b: Builder, y: Value) => reduceMean(b, mul(b, y, y));
const rmse = (b: Builder, { outputs: { y } }: { outputs: { y: Value } }) => sqrt(b, meanSquare(b, y));
const squares = defineTask({ model, targets: {}, loss: (b, { outputs }) => meanSquare(b, outputs.y) });

/** Masked means of squares, Σ m y² / Σ m, by masks of floats, whole numbers, and numbers that are missing. */
const masked = {
  float: defineTask({
    ...{ model, targets: { m: { shape: [2] } } },
    loss: (b, { outputs: { y }, targets: { m } }) =>
      div(b, reduceSum(b, mul(b, mul(b, y, y), m)), reduceSum(b, m)),
  }),
  int64: defineTask({
    ...{ model, targets: { m: { shape: [2], type: "int64" } } },
    loss(b, { outputs: { y }, targets }) {
      const m = cast(b, targets.m, y.dtype);
      return div(b, reduceSum(b, mul(b, mul(b, y, y), m)), reduceSum(b, m));
    },
  }),
} as const;

/** Samples of which the first are complete, and small; those after them are large, and mostly masked. */
function samplesOf(count: number, complete: number, type: keyof typeof masked) {
  const random = Random.seeded(3);
  const x = Array.from({ length: 2 * count }, (_, i) => random.normal() + (i < 2 * complete ? 0 : 5));
  const m = Array.from({ length: 2 * count }, (_, i) => (i < 2 * complete || i % 16 === 0 ? 1 : 0));
  const seen = x.filter((_, i) => m[i] === 1);
  return {
    data: {
      x: tensor("float64", [count, 2], x),
      m: type === "float" ? tensor("float64", [count, 2], m) : tensor("int64", [count, 2], m),
    },
    right: seen.reduce((sum, value) => sum + value * value, 0) / seen.length,
  };
}

/** Loss before the only update, by a model so wide that parts of a batch pay. */
async function fitted(task: AnyTask, data: Parameters<typeof trained>[1], batchSize: number) {
  const options = { runtime, steps: 1, batchSize, optimiser: sgd({ learningRate: 1e-3 }), seed: 1 };
  const found = await trained(task, data, { ...options, threads: oneThread() });
  const whole = await trained(task, data, { ...options, parts: 1 });
  return { ran: found.ran, loss: found.losses[0]!, whole: whole.losses[0]! };
}

describe("What is measured of more samples than are measured at once", () => {
  for (const type of ["float", "int64"] as const) {
    const task = masked[type] as AnyTask;

    it(`is that of all of them, where a loss is a mean over a mask of ${type} that is uniform in the first samples`, async () => {
      // one sample in all that is not complete, and many
      for (const complete of [999, 700]) {
        const { data, right } = samplesOf(1000, complete, type);
        const { loss, notes } = await evaluate(task, data, { runtime, parameters });
        // sums of 2000 terms in another order
        expect(loss, `${complete}`).to.be.closeTo(right, 1e-12 * right);
        expect(notes).to.have.length(1);
        expect(notes[0])
          .to.include("All 1000 samples are measured at once: the loss is not the mean")
          .and.include("weigh");
      }
    });

    it(`is that of all of them in validations: a mask of ${type}`, async () => {
      const { data, right } = samplesOf(1000, 700, type);
      const told: string[] = [];
      const { validations, notes } = await trained(task, data, {
        ...{ runtime, steps: 1, parameters, validation: data, validateEvery: 1 },
        onNote: ({ code, message }) => told.push(`${code}: ${message}`),
      });
      expect(validations[0]!.loss).to.be.closeTo(right, 1e-12 * right);
      expect(told).to.have.length(1);
      expect(told[0]).to.include(
        "measuring: validation data: All 1000 samples are measured at once: the loss",
      );
      expect(notes.map(({ code }) => code)).to.deep.equal(["measuring"]);
    });
  }

  it("is that of all where a metric is a root of a mean, and that of parts, to the bit, where it is a mean", async () => {
    const { data, right } = samplesOf(1000, 500, "float");
    const { x } = data;
    const mean = numbers(x).reduce((sum, value) => sum + value * value, 0) / 2000;
    const largest = (b: Builder, { outputs }: { outputs: { y: Value } }) => reduceMean(b, outputs.y);
    const { notes: none, ...plain } = await evaluate(
      defineTask({ ...squares, metrics: { largest } }),
      { x },
      { runtime, parameters },
    );
    expect(none).to.deep.equal([]);
    const { loss, metrics, notes } = await evaluate(
      defineTask({ ...squares, metrics: { rmse, largest } }),
      { x },
      { runtime, parameters },
    );
    expect({ loss, metrics: { largest: metrics.largest } }).to.deep.equal(plain);
    expect(Object.keys(metrics)).to.deep.equal(["rmse", "largest"]);
    expect(metrics.rmse).to.be.closeTo(Math.sqrt(mean), 1e-12);
    expect(notes[0]).to.include('at once: the metric "rmse" is not the mean');
    // in pieces, where the task says over what the loss is a mean
    const weighed = defineTask({
      ...masked.float,
      weigh: (b, { m }) => reduceSum(b, m),
      metrics: { rmse },
    });
    const found = await evaluate(weighed, data, { runtime, parameters });
    expect(found.loss).to.be.closeTo(right, 1e-12 * right);
    expect(found.metrics.rmse).to.be.closeTo(Math.sqrt(mean), 1e-12);
    expect(found.notes.join()).to.include("rmse").and.not.include("the loss");
  });

  it("is the mean of parts that are asked for, and says where that is something else", async () => {
    const { data } = samplesOf(600, 300, "float");
    const x = numbers(data.x);
    const rootOf = (part: readonly number[]) =>
      Math.sqrt(part.reduce((sum, v) => sum + v * v, 0) / part.length);
    const task = defineTask({ ...squares, metrics: { rmse } });
    const found = await evaluate(task, { x: data.x }, { runtime, parameters, atOnce: 300 });
    expect(found.metrics.rmse).to.be.closeTo((rootOf(x.slice(0, 600)) + rootOf(x.slice(600))) / 2, 1e-12);
    expect(found.notes).to.have.length(1);
    expect(found.notes[0]).to.include("300 samples").and.include('"rmse"').and.include("Leave out atOnce");
    const { notes } = await trained(
      task,
      { x: data.x },
      {
        ...{ runtime, steps: 1, parameters, validation: { x: data.x }, validationBatchSize: 5 },
      },
    );
    expect(notes.map(({ message }) => message).join()).to.include("Leave out validationBatchSize");
  });

  it("is refused where they are too many to be measured at once, with what to do", async () => {
    const wide = defineTask({
      ...squares,
      metrics: {
        spread(b, { outputs: { y } }) {
          const wide = expand(b, reduceSum(b, y, [1], true), [y.shape[0] as number, 6000]);
          return sqrt(b, meanSquare(b, reduceSum(b, mul(b, wide, wide), [1])));
        },
      },
    });
    const x = tensor(
      "float64",
      [100_000, 2],
      new Float64Array(200_000).map((_, i) => i % 7),
    );
    const error = await failure(evaluate(wide, { x }, { runtime, parameters }), SizeError);
    expect(error.message)
      .to.include('All 100000 samples are measured at once: the metric "spread"')
      .and.include("(atOnce)");
  });
});

describe("A batch, and its parts", () => {
  const network = sequential(linear(128, 512), activation(tanh), linear(512, 2));
  const wide = defineModel({
    ...{ name: "wide", ...network, inputs: { x: { shape: [128] } } },
    apply: (b, theta, { x }, training) => ({ y: network.apply(b, theta, x, training) }),
  });
  const random = Random.seeded(5);
  const count = 400;
  const x = tensor(
    "float64",
    [count, 128],
    Array.from({ length: count * 128 }, () => random.normal()),
  );
  const z = (shift: number) =>
    tensor(
      "float64",
      [count, 2],
      Array.from({ length: 2 * count }, (_, i) => (i < count ? 0 : shift)),
    );
  const mask = Array.from({ length: 2 * count }, (_, i) => (i < count || i % 16 === 0 ? 1 : 0));

  it("is whole where a loss is a mean over a mask, although the first samples are complete", async () => {
    for (const type of ["float", "int64"] as const) {
      const task = defineTask({
        ...{ model: wide, targets: { z: { shape: [2] }, m: { shape: [2], type } } },
        loss(b, { outputs: { y }, targets }) {
          const m = cast(b, targets.m, y.dtype);
          const off = sub(b, y, targets.z);
          return div(b, reduceSum(b, mul(b, mul(b, off, off), m)), reduceSum(b, m));
        },
      });
      const data = { x, z: z(3), m: tensor(type === "float" ? "float64" : type, [count, 2], mask) };
      const { ran, loss, whole } = await fitted(task as AnyTask, data, count);
      expect(ran.parts, type).to.equal(1);
      expect(loss).to.equal(whole);
    }
  });

  it("is taken in the parts that are asked for, which is told where the loss is no mean over samples", async () => {
    const options = { runtime, steps: 1, batchSize: 12, parameters, parts: 3 };
    const { data } = samplesOf(12, 6, "int64");
    const { notes } = await trained(masked.int64, data, options);
    expect(notes.map(({ code }) => code)).to.deep.equal(["parts"]);
    expect(notes[0]!.message).to.include("3 parts, as asked for").and.include("weigh");
    expect((await trained(squares, { x: data.x }, options)).notes).to.deep.equal([]);
  });

  it("is cut into parts where a loss is a mean over samples", async () => {
    const task = defineTask({
      ...{ model: wide, targets: { z: { shape: [2] } } },
      loss: (b, { outputs, targets }) => meanSquare(b, sub(b, outputs.y, targets.z)),
    });
    const { ran, loss, whole } = await fitted(task as AnyTask, { x, z: z(3) }, count);
    expect(ran.parts).to.be.above(1);
    // sums in another order
    expect(loss).to.be.closeTo(whole, 1e-12 * whole);
  });
});
