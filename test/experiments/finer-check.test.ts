import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { finerCheck } from "../../src/experiments/finer-check.js";
import { heat } from "../../src/experiments/heat.js";
import type { PreparedTask } from "../../src/experiments/task-experiment.js";
import { initialParameters } from "../../src/fields/field.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { methodNamed } from "../../src/methods/named.js";
import { defineModel } from "../../src/models/model.js";
import { odeSolve } from "../../src/models/ode-solve.js";
import { defineTask } from "../../src/models/task.js";
import { mul, neg, sub } from "../../src/ops/arithmetic.js";
import { reduceMean } from "../../src/ops/reduce.js";
import { gather } from "../../src/ops/slicing.js";
import { jit } from "../../src/runtimes/jit/jit.js";

const k = 0.8;
const rate = { shape: [1], initial: () => [k] };

/** y(1) of y' = −k y by Euler's steps, against targets; samples in the order of their initial states. */
function decay(h: number, count: number, target: number): PreparedTask {
  const ode = neuralOde({
    field: {
      ...{ name: "decay", state: ["batch", 1], parameters: { k: rate } },
      apply: (b, theta, _t, y) => neg(b, mul(b, theta.k!, y)),
    },
    ...{ method: methodNamed("euler", {}), stepSize: h },
  });
  const model = defineModel({
    ...{ name: "decay", parameters: ode.field.parameters, inputs: { y0: { shape: [1] } } },
    apply: (b, theta, { y0 }) => ({
      y: gather(b, odeSolve(b, ode, { theta, y0, t0: 0, times: [1], gradient: "direct" }), 0),
    }),
  });
  const task = defineTask({
    ...{ model, targets: { y: { shape: [1] } } },
    loss(b, { outputs, targets }) {
      const apart = sub(b, outputs.y, targets.y);
      return reduceMean(b, mul(b, apart, apart));
    },
  });
  const y0 = Array.from({ length: count }, (_, i) => 1 + i / count);
  const training = {
    y0: tensor("float64", [count, 1], y0),
    y: tensor(
      "float64",
      [count, 1],
      y0.map((y) => target * y),
    ),
  };
  return { task, training, validation: null, test: null, files: () => ({}) };
}

/** Of Euler's steps: each sample is off by its y0 times this. */
const off = (h: number, target: number) => (1 - k * h) ** (1 / h) - target;
const trained = {
  runtime: jit(),
  dtype: "float64",
  parameters: { k: tensor("float64", [1], [k]) },
  buffers: {},
} as const;
const check = (target: number, gain: { first: number; last: number }, count = 4) => {
  const [prepared, short] = [0.5, 0.125].map((h) => decay(h, count, target));
  return finerCheck({ prepared: prepared!, short: short! }, 0.5, gain, trained);
};

describe("a model by shorter steps than those that trained it", () => {
  it("has the loss of these steps, and warns where it is another", async () => {
    // what Euler's steps of a half were fitted to: (1 − k/2)²
    const target = off(0.5, 0) + 0.01;
    const { loss, trainedLoss, warning } = await check(target, { first: 1, last: 1e-4 });
    const squares = numbers(decay(1, 4, 0).training.y0!).reduce((sum, y) => sum + y * y, 0) / 4;
    expect(trainedLoss).to.be.closeTo(off(0.5, target) ** 2 * squares, 1e-12);
    expect(loss).to.be.closeTo(off(0.125, target) ** 2 * squares, 1e-12);
    expect(warning).to.match(
      /^The model depends on the steps of its solver: with steps 4 times as short, the loss of the training/,
    );
    expect(warning).to.include("--step-size than 0.5");
  });

  it("does not warn of a change that is small beside the loss, or beside what training gained", async () => {
    expect((await check(10, { first: 100, last: 99 })).warning).to.equal(null);
    expect((await check(off(0.5, 0) + 0.01, { first: 100, last: 1e-4 })).warning).to.equal(null);
  });

  it("warns of a loss that is no number", async () => {
    const [prepared, short] = [decay(0.5, 4, 0), decay(0.125, 4, 0)];
    const lost = { ...trained, parameters: { k: tensor("float64", [1], [1e308]) } };
    const { warning } = await finerCheck({ prepared, short }, 0.5, { first: 1, last: 0 }, lost);
    expect(warning).to.include("in place of Infinity");
  });

  it("looks at samples from all of the data, since they may be in an order", async () => {
    const { trainedLoss } = await check(0, { first: 1, last: 0 }, 1000);
    const all = Array.from({ length: 1000 }, (_, i) => (1 + i / 1000) ** 2 / 1000).reduce((a, b) => a + b);
    expect(trainedLoss / (off(0.5, 0) ** 2 * all)).to.be.closeTo(1, 0.01);
  });

  it("looks at the grid of the run, where that follows from the step size", async () => {
    // a quarter of such a step is one of those that the grid of the published protocol is taken for
    const stepSize = 3e-4;
    const by = (shortened: number) =>
      heat.prepare({
        ...{ seed: 0, files: [], shortened },
        protocol: { ...heat.protocol, stepSize: stepSize / shortened },
      });
    const [prepared, short] = [await by(1), await by(4)];
    const { parameters } = prepared.task.model as unknown as {
      parameters: Parameters<typeof initialParameters>[0]["parameters"];
    };
    const own = initialParameters({ name: "heat", parameters }, Random.seeded(1), "float64");
    const { trainedLoss, loss } = await finerCheck(
      { prepared, short },
      stepSize,
      { first: 1, last: 0 },
      { ...trained, parameters: own },
    );
    // two solves by a method of order 5, whose steps are half of the longest that are stable, or an eighth
    expect(Math.abs(loss - trainedLoss)).to.be.below(1e-6 * trainedLoss);
  });
});
