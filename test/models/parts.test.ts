import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, sizeOf, tensor } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { SplitError } from "../../src/gradients/parts.js";
import { TrainingError } from "../../src/gradients/training-error.js";
import type { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { crossEntropy } from "../../src/learning/likelihoods.js";
import { mse } from "../../src/learning/losses.js";
import { adamw } from "../../src/learning/optimisers.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { fit as trained } from "../../src/models/fit.js";
import { defineModel } from "../../src/models/model.js";
import { odeSolve } from "../../src/models/ode-solve.js";
import { defineTask } from "../../src/models/task.js";
import {
  activation,
  batchNorm,
  dropout,
  type Layer,
  linear,
  parametersOf,
  partOf,
  sequential,
} from "../../src/nn.js";
import { div, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { cast } from "../../src/ops/reshape.js";
import { gather } from "../../src/ops/slicing.js";
import { tanh } from "../../src/ops/trigonometry.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { type ThreadRuntime, threadRuntime } from "../../src/runtimes/thread.js";
import { oneThread } from "../../src/runtimes/threads.js";
import type { Trajectories } from "../../src/train/data.js";
import { train } from "../../src/train/train.js";
import { tensorsDistance } from "../support/distance.js";
import { failure } from "../support/failure.js";

const random = Random.seeded(4);
const draw = (count: number) => Array.from({ length: count }, () => random.normal());
const classes = {
  x: tensor("float64", [24, 4], draw(96)),
  label: tensor(
    "int64",
    [24],
    Array.from({ length: 24 }, () => random.integer(3)),
  ),
};

const classifier = (network: Layer) =>
  defineTask({
    model: defineModel({
      name: "classifier",
      ...network,
      inputs: { x: { shape: [4] } },
      apply: (b, theta, { x }, training) => ({ logits: network.apply(b, theta, x, training) }),
    }),
    targets: { label: { shape: [], type: "int64" } },
    loss: (b, { outputs, targets }) => crossEntropy(b, outputs.logits, targets.label),
  });
const plain = classifier(sequential(linear(4, 6), activation(tanh), linear(6, 3)));
const noisy = classifier(
  sequential(linear(4, 6), batchNorm(6), activation(tanh), dropout(0.4), linear(6, 3)),
);

/** Samples of which some components are masked: a part with few of them counts for less. */
const masked = defineTask({
  model: defineModel({
    name: "line",
    ...linear(4, 2),
    inputs: { x: { shape: [4] } },
    apply: (b, theta, { x }) => ({ y: linear(4, 2).apply(b, theta, x) }),
  }),
  targets: { y_: { shape: [2] }, mask: { shape: [2] } },
  loss: (b, { outputs, targets }) => mse().apply(b, outputs.y, targets.y_, targets.mask),
  weigh: (b, { mask }) => reduceSum(b, mask),
});
const maskedData = {
  x: classes.x,
  y_: tensor("float64", [24, 2], draw(48)),
  mask: tensor(
    "float64",
    [24, 2],
    Array.from({ length: 48 }, (_, i) => (i < 30 && i % 3 > 0 ? 0 : 1)),
  ),
};

const field = mlp({ dim: 4, hidden: [5] });
const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.25 });
const solved = (() => {
  const parts = { field: { parameters: field.parameters }, readout: linear(4, 3) };
  return defineTask({
    model: defineModel({
      name: "solved",
      ...parametersOf(parts),
      inputs: { x: { shape: [4] } },
      apply(b, theta, { x }, training) {
        const own = { theta: partOf(theta, "field"), y0: x, t0: 0, times: [1], training };
        const ys = odeSolve(b, ode, { ...own, gradient: "reversible" });
        return { logits: parts.readout.apply(b, partOf(theta, "readout"), gather(b, ys, 0)) };
      },
    }),
    targets: { label: { shape: [], type: "int64" } },
    loss: (b, { outputs, targets }) => crossEntropy(b, outputs.logits, targets.label),
  });
})();

describe("A batch of a task in parts", () => {
  const runtimes: Record<string, Runtime> = {};
  const threads: ThreadRuntime[] = [];
  before(async () => {
    Object.assign(runtimes, { jit: jit(), "ort-cpu": await ortNode() });
    threads.push(await threadRuntime("jit"), await threadRuntime("jit"));
  });
  after(async () => {
    for (const thread of threads) await thread.close();
  });
  const base = { steps: 7, batchSize: 12, optimiser: adamw({ learningRate: 0.05 }), clip: 1, seed: 2 };

  for (const name of ["jit", "ort-cpu"]) {
    it(`is that of the whole batch, but for rounding, on ${name}`, async () => {
      const runtime = runtimes[name]!;
      for (const [task, data] of [
        [plain, classes],
        [solved, classes],
        [masked, maskedData],
      ] as const) {
        const whole = await trained(task as typeof plain, data, { ...base, runtime });
        for (const parts of [2, 5, 12]) {
          const found = await trained(task as typeof plain, data, { ...base, runtime, parts });
          // sums in another order, seven updates long
          expect(tensorsDistance(found.parameters, whole.parameters), `${parts} parts`).to.be.below(1e-11);
          expect(Math.max(...found.losses.map((loss, i) => Math.abs(loss - whole.losses[i]!)))).to.be.below(
            1e-12,
          );
        }
      }
    });
  }

  for (const dtype of ["float64", "float32"] as const) {
    it(`has the same bits with any number of threads, random layers and statistics included, in ${dtype}`, async () => {
      for (const parts of [3, 5]) {
        const options = { ...base, runtime: jit(), dtype, parts, updatesPerRun: 3 };
        const alone = await trained(noisy, classes, options);
        expect(alone.losses[0]).not.to.equal(alone.losses[2]);
        for (const helpers of [threads.slice(0, 1), threads]) {
          const helped = await trained(noisy, classes, { ...options, helpers });
          expect(helped.losses).to.deep.equal(alone.losses);
          for (const kind of ["parameters", "buffers"] as const) {
            for (const [name, value] of Object.entries(alone[kind]))
              expect(numbers(helped[kind][name]!), name).to.deep.equal(numbers(value));
          }
        }
      }
    });
  }

  it("draws other random numbers in each part", async () => {
    const same = {
      x: tensor("float64", [2, 4], [1, 2, 3, 4, 1, 2, 3, 4]),
      label: tensor("int64", [2], [1, 1]),
    };
    const dropped = classifier(sequential(linear(4, 40), dropout(0.5), linear(40, 3)));
    const options = { runtime: jit(), steps: 1, batchSize: 2, seed: 1 };
    const [one, two] = [
      await trained(
        dropped,
        { x: tensor("float64", [1, 4], [1, 2, 3, 4]), label: tensor("int64", [1], [1]) },
        { ...options, batchSize: 1 },
      ),
      await trained(dropped, same, { ...options, parts: 2 }),
    ];
    // the mean of two losses with the same 40 numbers would be one of them
    expect(two.losses[0]).not.to.equal(one.losses[0]);
  });

  it("goes on as if it had never stopped, with another number of threads", async () => {
    const options = { ...base, runtime: jit(), parts: 3 };
    const whole = await trained(noisy, classes, options);
    const { checkpoint } = await trained(noisy, classes, { ...options, steps: 3, helpers: threads });
    const rest = await trained(noisy, classes, { ...options, resume: checkpoint });
    expect(rest.losses).to.deep.equal(whole.losses);
  });

  it("is averaged by what was observed, in graphs and in threads; where that is nothing, it is no number", async () => {
    const observed = defineTask({
      model: defineModel({
        ...{ name: "scaled", inputs: { x: { shape: [4] } } },
        parameters: { scale: { shape: [], initial: () => [1] } },
        apply: (b, { scale }, { x }) => ({ y: mul(b, reduceSum(b, x, [1]), scale!) }),
      }),
      targets: { seen: { shape: [], type: "int64" } },
      loss(b, { outputs: { y }, targets: { seen } }) {
        const mask = cast(b, seen, y.dtype);
        return div(b, reduceSum(b, mul(b, mask, mul(b, y, y))), reduceSum(b, mask));
      },
      weigh: (b, { seen }) => reduceSum(b, seen!),
    });
    const of = (seen: readonly number[], options: object = {}) =>
      trained(
        observed,
        { x: tensor("float64", [8, 4], draw(32).fill(0.5)), seen: tensor("int64", [8], seen) },
        { runtime: jit(), steps: 2, batchSize: 8, ...options },
      );
    const half = [0, 0, 0, 0, 1, 0, 1, 1];
    const whole = await of(half);
    // 2, 4 and 8 in one graph, 3 in several; there are parts of which nothing was observed
    for (const parts of [2, 3, 4, 8]) {
      expect(tensorsDistance((await of(half, { parts })).parameters, whole.parameters)).to.be.below(1e-14);
    }
    for (const parts of [1, 2, 3]) {
      const nothing = of(new Array(8).fill(0), { parts });
      expect((await failure(nothing, TrainingError)).message, `${parts}`).to.include("loss is not finite");
    }
  });

  it("is refused with more parts than samples, or with none", async () => {
    const options = { runtime: jit(), steps: 1, batchSize: 4 };
    expect((await failure(trained(plain, classes, { ...options, parts: 5 }), SplitError)).message)
      .to.include("batch of 4")
      .and.include("5 parts");
    const none = await failure(trained(plain, classes, { ...options, parts: 0 }), Error);
    expect(none.message).to.include("parts of a batch must be a whole number of 1 or more, but 0");
  });
});

describe("Parts of a batch that nobody asked for", () => {
  const wide = {
    x: tensor("float64", [400, 128], draw(400 * 128)),
    label: tensor(
      "int64",
      [400],
      Array.from({ length: 400 }, () => random.integer(3)),
    ),
  };
  const ran = async (network: Layer, scaled: (b: Builder, loss: Value) => Value = (_, loss) => loss) => {
    const task = defineTask({
      model: defineModel({
        ...{ name: "wide", ...network, inputs: { x: { shape: [128] } } },
        apply: (b, theta, { x }, training) => ({ logits: network.apply(b, theta, x, training) }),
      }),
      targets: { label: { shape: [], type: "int64" } },
      loss: (b, { outputs, targets }) => scaled(b, crossEntropy(b, outputs.logits, targets.label)),
    });
    const options = { runtime: jit(), steps: 2, batchSize: 400, threads: oneThread() };
    const found = await trained(task, wide, options);
    const { losses } = await trained(task, wide, { ...options, parts: 1 });
    // sums of 400 terms in another order
    for (const [k, loss] of found.losses.entries()) expect(loss / losses[k]! - 1).to.be.within(-1e-12, 1e-12);
    return found.ran;
  };

  it("are chosen for a loss that is a mean over samples, and not for one that is none", async () => {
    const network = sequential(linear(128, 768), activation(tanh), linear(768, 3));
    expect((await ran(network)).parts).to.be.above(1);
    expect((await ran(network, (b, loss) => mul(b, loss, loss))).parts).to.equal(1);
  });

  it("are not chosen for a loss that is none, although its model makes the same of all samples at first", async () => {
    const network = sequential(linear(128, 768), activation(tanh), linear(768, 3));
    const parameters = Object.fromEntries(
      Object.entries(network.parameters).map(([name, parameter]) => [
        name,
        name.startsWith("2.")
          ? { ...parameter, initial: () => new Float64Array(sizeOf(parameter.shape)) }
          : parameter,
      ]),
    );
    expect((await ran({ ...network, parameters })).parts).to.be.above(1);
    expect((await ran({ ...network, parameters }, (b, loss) => mul(b, loss, loss))).parts).to.equal(1);
  });

  it("are not chosen for a model that keeps statistics of batches", async () => {
    expect((await ran(sequential(linear(128, 768), batchNorm(768), linear(768, 3)))).parts).to.equal(1);
  });
});

describe("Trajectories in parts", () => {
  const times = [0.2, 0.5, 1];
  const data: Trajectories = {
    ...{ t0: 0, times, y0: tensor("float64", [5, 2], draw(10)) },
    observations: tensor(
      "float64",
      [3, 5, 2],
      draw(30).map((value, i) => (i % 4 === 1 || i < 7 ? Number.NaN : value)),
    ),
  };
  const equation = neuralOde({
    field: mlp({ dim: 2, hidden: [5] }),
    method: reversible(midpoint),
    stepSize: 0.1,
  });
  const threads: ThreadRuntime[] = [];
  before(async () => {
    threads.push(await threadRuntime("jit"));
  });
  after(async () => {
    for (const thread of threads) await thread.close();
  });

  for (const trainY0 of [false, true]) {
    it(`are those of the whole batch but for rounding, with the same bits in threads${trainY0 ? ", initial states trained" : ""}`, async () => {
      const options = {
        runtime: jit(),
        steps: 9,
        trainY0,
        optimiser: adamw({ learningRate: 0.05 }),
        check: false,
      };
      const whole = await train(equation, data, options);
      for (const parts of [2, 5]) {
        const alone = await train(equation, data, { ...options, parts });
        expect(tensorsDistance(alone.parameters, whole.parameters)).to.be.below(1e-10);
        expect(tensorsDistance({ y0: alone.y0 }, { y0: whole.y0 })).to.be.below(1e-10);
        const helped = await train(equation, data, { ...options, parts, helpers: threads });
        expect(helped.losses).to.deep.equal(alone.losses);
        expect(numbers(helped.y0)).to.deep.equal(numbers(alone.y0));
      }
    });
  }
});
