import { readFileSync } from "node:fs";
import { expect } from "chai";
import { RevortError } from "../../src/core/errors.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/deploy/checkpoint-file.js";
import type { Tensors } from "../../src/fields/field.js";
import { TrainingError } from "../../src/gradients/training-error.js";
import { accuracy, crossEntropy } from "../../src/learning/likelihoods.js";
import { adamw, sgd } from "../../src/learning/optimisers.js";
import { cosine } from "../../src/learning/schedules.js";
import { DatasetError, splitDataset } from "../../src/models/dataset.js";
// under another name: linters take a call of fit for a focused test
import { type FitOptions, type FitResult, fit as trained } from "../../src/models/fit.js";
import { evaluate } from "../../src/models/measuring.js";
import { defineModel, ModelDefinitionError } from "../../src/models/model.js";
import { defineTask } from "../../src/models/task.js";
import {
  activation,
  batchNorm,
  dropout,
  endOfSequence,
  gruCell,
  linear,
  parametersOf,
  partOf,
  sequential,
  trainingOf,
} from "../../src/nn.js";
import { div, mul, neg, sub } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { abs, log } from "../../src/ops/elementwise.js";
import { zeros } from "../../src/ops/linalg.js";
import { less, where } from "../../src/ops/logic.js";
import { reduceMean } from "../../src/ops/reduce.js";
import { unsqueeze } from "../../src/ops/reshape.js";
import { tanh } from "../../src/ops/trigonometry.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import type { Checkpoint } from "../../src/train/checkpoint.js";
import { failure } from "../support/failure.js";

interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
interface Trained {
  readonly start: Readonly<Record<string, Stored>>;
  readonly end: Readonly<Record<string, Stored>>;
  readonly x: Stored;
  readonly y: Stored;
  readonly losses: readonly number[];
  readonly evaluated: number;
}
const pytorch = JSON.parse(readFileSync(new URL("pytorch-training.json", import.meta.url), "utf8")) as {
  torch: string;
  classifier: Trained;
  gru: Trained;
};

const float64 = ({ shape, data }: Stored): Tensor => tensor("float64", shape, data);
const all = (record: Readonly<Record<string, Stored>>): Tensors =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, float64(value)]));

const network = sequential(linear(4, 8), batchNorm(8), activation(tanh), linear(8, 3));
const classification = defineTask({
  model: defineModel({
    name: "classifier",
    ...network,
    inputs: { x: { shape: [4] } },
    apply: (b, theta, { x }, training) => ({ logits: network.apply(b, theta, x, training) }),
  }),
  targets: { label: { shape: [], type: "int64" } },
  loss: (b, { outputs, targets }) => crossEntropy(b, outputs.logits, targets.label),
  metrics: { accuracy: (b, { outputs, targets }) => accuracy(b, outputs.logits, targets.label) },
});

const parts = { cell: gruCell(2, 6), head: linear(6, 1) };
const summation = defineTask({
  model: defineModel({
    name: "gru",
    ...parametersOf(parts),
    inputs: { xs: { shape: [5, 2] } },
    apply(b, theta, { xs }) {
      const start = zeros(b, xs.dtype, [xs.shape[0] as number, 6]);
      const [h] = endOfSequence(b, parts.cell, partOf(theta, "cell"), xs, [start]);
      return { sum: parts.head.apply(b, partOf(theta, "head"), h) };
    },
  }),
  targets: { total: { shape: [1] } },
  loss(b, { outputs, targets }) {
    const difference = sub(b, outputs.sum, targets.total);
    return reduceMean(b, mul(b, difference, difference));
  },
});

/** y = W x + c with noise: what least squares find is known. */
const regression = defineTask({
  model: defineModel({
    name: "line",
    ...linear(1, 1),
    inputs: { x: { shape: [1] } },
    apply: (b, theta, { x }) => ({ y: linear(1, 1).apply(b, theta, x) }),
  }),
  targets: { y_: { shape: [1] } },
  loss(b, { outputs, targets }) {
    const difference = sub(b, outputs.y, targets.y_);
    return reduceMean(b, mul(b, difference, difference));
  },
});

/** The same where some of y are missing: a mean over those that are there. */
const masked = defineTask({
  model: regression.model,
  targets: { y_: { shape: [1] }, seen: { shape: [1] } },
  loss(b, { outputs, targets }) {
    const difference = mul(b, targets.seen, sub(b, outputs.y, targets.y_));
    return div(b, reduceSum(b, mul(b, difference, difference)), reduceSum(b, targets.seen));
  },
  weigh: (b, { seen }) => reduceSum(b, seen!),
  metrics: {
    bias: (b, { outputs, targets }) =>
      div(b, reduceSum(b, mul(b, targets.seen, sub(b, outputs.y, targets.y_))), reduceSum(b, targets.seen)),
  },
});

function line(count: number) {
  const random = Random.seeded(2);
  const x = Array.from({ length: count }, () => random.normal());
  const y = x.map((value) => 3 * value - 1 + 0.1 * random.normal());
  return { x: tensor("float64", [count, 1], x), y_: tensor("float64", [count, 1], y) };
}

const values = (tensors: Tensors) =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, numbers(value)]));
const stateOf = ({
  checkpoint: { seconds: _, trained, buffers = {}, memory, best, ...rest },
}: FitResult) => ({
  ...rest,
  trained: values(trained),
  buffers: values(buffers),
  memory: values(memory),
  best: { ...best, trained: values(best.trained), buffers: values(best.buffers ?? {}) },
});

describe(`fit, held against PyTorch ${pytorch.torch}`, () => {
  const runtimes: Record<string, Runtime> = {};
  before(async () => {
    Object.assign(runtimes, { jit: jit(), "ort-cpu": await ortNode() });
  });
  const optimiser = adamw({ learningRate: 0.01, weightDecay: 0.01 });

  for (const name of ["jit", "ort-cpu"]) {
    it(`has the losses of 20 updates, and the parameters after them: batch normalisation, on ${name}`, async () => {
      const { start, end, x, y, losses, evaluated } = pytorch.classifier;
      const data = { x: float64(x), label: tensor("int64", y.shape, y.data) };
      const runtime = runtimes[name]!;
      const found = await trained(classification, data, {
        ...{ runtime, optimiser, steps: 20, batchSize: 12, clip: 1, parameters: all(start) },
      });
      // 20 updates of some thousand operations each
      for (const [i, loss] of losses.entries()) expect(found.losses[i]).to.be.closeTo(loss, 1e-11);
      for (const [key, value] of Object.entries(end)) {
        for (const [i, right] of value.data.entries())
          expect(numbers(found.parameters[key]!)[i], key).to.be.closeTo(right, 1e-9);
      }
      const { parameters, buffers } = found;
      const measured = await evaluate(classification, data, { runtime, parameters, buffers });
      expect(measured.loss).to.be.closeTo(evaluated, 1e-10);
      expect(measured.metrics.accuracy).to.be.within(0, 1);
    });

    it(`has the losses of 20 updates, and the parameters after them: a GRU along sequences, on ${name}`, async () => {
      const { start, x, y, losses, evaluated } = pytorch.gru;
      const data = { xs: float64(x), total: float64(y) };
      const runtime = runtimes[name]!;
      const found = await trained(summation, data, {
        ...{ runtime, optimiser, steps: 20, batchSize: 10, clip: 1, parameters: all(start) },
      });
      for (const [i, loss] of losses.entries()) expect(found.losses[i]).to.be.closeTo(loss, 1e-11);
      const measured = await evaluate(summation, data, { runtime, parameters: found.parameters });
      expect(measured.loss).to.be.closeTo(evaluated, 1e-10);
    });
  }
});

describe("fit", () => {
  const runtime = jit();
  const run = (options: Partial<FitOptions> = {}, data = line(40)) =>
    trained(regression, data, {
      ...{ runtime, steps: 60, optimiser: sgd({ learningRate: 0.1 }), batchSize: 8 },
      ...options,
    });

  it("finds what least squares find", async () => {
    const data = line(40);
    const [x, y] = [numbers(data.x), numbers(data.y_)];
    const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const slope = mean(x.map((value, i) => value * y[i]!)) - mean(x) * mean(y);
    const w = slope / (mean(x.map((value) => value * value)) - mean(x) ** 2);
    const { parameters } = await run({ steps: 400, batchSize: 40 }, data);
    // gradient descent contracts by a factor of 0.8 and less an update
    expect(numbers(parameters.weight!)[0]).to.be.closeTo(w, 1e-9);
    expect(numbers(parameters.bias!)[0]).to.be.closeTo(mean(y) - w * mean(x), 1e-9);
  });

  it("gives to the bit what one update at a time gives, with random layers too", async () => {
    const layer = sequential(linear(1, 6), dropout(0.5), linear(6, 1));
    const dropped = defineTask({
      ...regression,
      model: defineModel({
        name: "dropped",
        ...layer,
        inputs: { x: { shape: [1] } },
        apply: (b, theta, { x }, training) => ({ y: layer.apply(b, theta, x, training) }),
      }),
    });
    const options: FitOptions = {
      ...{ runtime, steps: 40, batchSize: 8, optimiser: adamw({ learningRate: 0.02 }), clip: 1 },
      ...{ schedule: cosine({ steps: 40, warmup: 5 }), seed: 3 },
    };
    const many = await trained(dropped, line(40), options);
    const single = await trained(dropped, line(40), { ...options, updatesPerRun: 1 });
    expect(stateOf(many)).to.deep.equal(stateOf(single));
    const other = await trained(dropped, line(40), { ...options, seed: 4, parameters: many.parameters });
    expect(other.losses[0]).not.to.equal(many.losses[0]);
  });

  it("goes on from a checkpoint as if it had never stopped", async () => {
    const options = { validation: line(16), validateEvery: 7, optimiser: adamw({ learningRate: 0.05 }) };
    const whole = await run(options);
    const { checkpoint } = await run({ ...options, steps: 23 });
    const rest = await run({ ...options, resume: checkpoint });
    expect(stateOf(rest)).to.deep.equal(stateOf(whole));
    expect(rest.validations).to.deep.equal(whole.validations);
  });

  it("measures the validation data each epoch, keeps the best, and stops where patience ends", async () => {
    const seen: number[] = [];
    const result = await run({
      ...{ validation: line(16), patience: 3, steps: 1000 },
      onValidation: ({ step }) => void seen.push(step),
    });
    expect(result.stopped).to.equal("patience");
    // 40 samples in batches of 8
    expect(seen.slice(0, 3)).to.deep.equal([0, 5, 10]);
    const lowest = result.validations.reduce((low, one) => (one.loss < low.loss ? one : low));
    expect(result.best.step).to.equal(lowest.step);
    expect(result.validations.at(-1)!.step - lowest.step).to.equal(15);
    const again = await evaluate(regression, line(16), { runtime, parameters: result.best.parameters });
    expect(again.loss).to.be.closeTo(lowest.loss, 1e-14);
  });

  it("reports each update, and stops between runs when told so", async () => {
    const stop = new AbortController();
    const steps: number[] = [];
    const result = await run({
      ...{ signal: stop.signal, updatesPerRun: 1 },
      onUpdate({ step, gradientNorm, learningRate }) {
        steps.push(step);
        expect(gradientNorm).to.be.above(0);
        expect(learningRate).to.equal(0.1);
        if (step === 4) stop.abort();
      },
    });
    expect(result.stopped).to.equal("aborted");
    expect(steps).to.deep.equal([1, 2, 3, 4]);
  });

  it("averages over samples, not over parts: 300 samples are measured in parts of 256 and 44", async () => {
    const data = line(300);
    const parameters = { weight: tensor("float64", [1, 1], [2]), bias: tensor("float64", [1], [0.5]) };
    const { loss } = await evaluate(regression, data, { runtime, parameters });
    const [x, y] = [numbers(data.x), numbers(data.y_)];
    const right = x.reduce((sum, value, i) => sum + (2 * value + 0.5 - y[i]!) ** 2, 0) / 300;
    expect(loss).to.be.closeTo(right, 1e-12);
  });

  it("averages over what was seen, where a task says so, however many samples are measured at once", async () => {
    const data = { ...line(10), seen: tensor("float64", [10, 1], [1, 0, 1, 1, 0, 1, 0, 0, 0, 0]) };
    const parameters = { weight: tensor("float64", [1, 1], [2]), bias: tensor("float64", [1], [0.5]) };
    const [x, y] = [numbers(data.x), numbers(data.y_)];
    const off = [0, 2, 3, 5].map((i) => 2 * x[i]! + 0.5 - y[i]!);
    // the last part of three has nothing in it, nor has the last of six
    for (const atOnce of [10, 3, 6, 1]) {
      const { loss, metrics } = await evaluate(masked, data, { runtime, parameters, atOnce });
      expect(loss, `${atOnce}`).to.be.closeTo(off.reduce((sum, d) => sum + d * d, 0) / 4, 1e-14);
      expect(metrics.bias, `${atOnce}`).to.be.closeTo(off.reduce((sum, d) => sum + d, 0) / 4, 1e-14);
    }
    const { validations } = await trained(masked, data, {
      ...{ runtime, steps: 1, parameters, validation: data, validationBatchSize: 4 },
    });
    expect(validations[0]!.loss).to.be.closeTo(off.reduce((sum, d) => sum + d * d, 0) / 4, 1e-14);
    for (const atOnce of [0, 2.5]) {
      const error = await failure(evaluate(masked, data, { runtime, parameters, atOnce }), DatasetError);
      expect(error.message).to.include(`1 or more samples at once, but ${atOnce}`);
    }
  });

  it("keeps the best of the validations that are numbers, if the first of them is none", async () => {
    // log x of a negative x, until the weight has grown to 1/2: measured before, the loss is not a number
    const rooted = defineTask({
      ...regression,
      loss: (b, { outputs }, training) => {
        const mean = reduceMean(b, outputs.y);
        return training === null ? log(b, mean) : neg(b, mean);
      },
    });
    const ones = { x: tensor("float64", [1, 1], [1]), y_: tensor("float64", [1, 1], [0]) };
    const result = await trained(rooted, ones, {
      ...{ runtime, steps: 3, validation: ones, validateEvery: 1, optimiser: sgd({ learningRate: 0.5 }) },
      parameters: { weight: tensor("float64", [1, 1], [-0.25]), bias: tensor("float64", [1], [-0.25]) },
    });
    expect(result.validations.map(({ loss }) => Number.isNaN(loss))).to.deep.equal([
      true,
      false,
      false,
      false,
    ]);
    expect(result.best.step).to.equal(1);
    const read = decodeCheckpoint(encodeCheckpoint(result.checkpoint), "a checkpoint");
    expect(read.validations).to.deep.equal(result.checkpoint.validations);
  });

  it("splits data at random, each sample into one part, the same for the same seed", () => {
    const data = {
      x: tensor(
        "float64",
        [10],
        Array.from({ length: 10 }, (_, i) => i),
      ),
    };
    const parts = splitDataset(data, [0.7, 0.3]).map(({ x }) => numbers(x!));
    expect(parts.map((part) => part.length)).to.deep.equal([7, 3]);
    expect(parts.flat().sort()).to.deep.equal(numbers(data.x));
    expect(splitDataset(data, [0.7, 0.3]).map(({ x }) => numbers(x!))).to.deep.equal(parts);
    expect(splitDataset(data, [0.7, 0.3], { seed: 1 }).map(({ x }) => numbers(x!))).not.to.deep.equal(parts);
    expect(() => splitDataset(data, [0.7, 0.7])).to.throw(DatasetError, /add up to 1 at most/);
    expect(() => splitDataset(data, [0.01])).to.throw(DatasetError, /not one sample/);
  });

  it("makes other samples of those of a batch, in training alone, the same ones when it is done again", async () => {
    // the sign of a sample is lost in training, so that a line through the origin cannot be learned
    const mirrored = defineTask({
      ...regression,
      augment(b, { x, y_ }, training) {
        const sign = where(b, less(b, training.uniform(b, [8, 1]), 0.5), b.scalar("float64", -1), 1);
        return { x: mul(b, x, sign), y_: mul(b, y_, abs(b, sign)) };
      },
    });
    const odd = {
      ...line(40),
      y_: tensor(
        "float64",
        [40, 1],
        numbers(line(40).x).map((x) => 2 * x),
      ),
    };
    const options = { runtime, steps: 80, batchSize: 8, optimiser: sgd({ learningRate: 0.05 }) };
    const [blind, one, seeing] = [
      await trained(mirrored, odd, options),
      await trained(mirrored, odd, { ...options, updatesPerRun: 1 }),
      await trained(regression, odd, options),
    ];
    expect(one.losses).to.deep.equal(blind.losses);
    expect(seeing.losses.at(-1)).to.be.below(0.1);
    expect(blind.losses.at(-1)).to.be.above(0.5);
    // evaluation sees the samples as they are
    const { parameters } = seeing;
    const [with_, without] = [mirrored, regression].map((task) =>
      evaluate(task, odd, { runtime, parameters }),
    );
    expect((await with_)!.loss).to.equal((await without)!.loss);
    const wrong = defineTask({ ...regression, augment: (b, { x, y_ }) => ({ x: unsqueeze(b, x, [0]), y_ }) });
    const error = await failure(trained(wrong, odd, options), ModelDefinitionError);
    expect(error.message).to.include('"x" of type float64[8, 1] back, but gives float64[1, 8, 1]');
  });

  it("goes on from the file of a checkpoint as if it had never stopped: statistics, the best and all", async () => {
    const data = {
      x: float64(pytorch.classifier.x),
      label: tensor("int64", pytorch.classifier.y.shape, pytorch.classifier.y.data),
    };
    const options = {
      runtime,
      steps: 14,
      batchSize: 8,
      validation: data,
      validateEvery: 4,
      optimiser: adamw({ learningRate: 0.3 }),
    };
    const kept: Checkpoint[] = [];
    const whole = await trained(classification, data, {
      ...options,
      onUpdate: async ({ checkpoint }) => {
        kept.push(decodeCheckpoint(encodeCheckpoint(await checkpoint()), "kept"));
      },
    });
    expect(Object.keys(kept[5]!.buffers!)).to.include("buffers/1.running_mean");
    for (const at of [1, 4, 7, 13]) {
      const rest = await trained(classification, data, { ...options, resume: kept[at - 1]! });
      expect(stateOf(rest), `from update ${at}`).to.deep.equal(stateOf(whole));
      expect(rest.best.step).to.equal(whole.best.step);
    }
  });

  it("names the update at which a loss or a gradient is not finite", async () => {
    const error = await failure(run({ optimiser: sgd({ learningRate: 1e200 }) }), TrainingError);
    expect(error.message).to.match(/^At update [23]: the loss is not finite/);
    const rooted = defineTask({
      ...regression,
      loss: (b, { outputs }) => reduceMean(b, log(b, mul(b, outputs.y, 0))),
    });
    const other = await failure(trained(rooted, line(8), { runtime, steps: 1 }), TrainingError);
    expect(other.message).to.match(/At update 1: the loss is not finite \(-Infinity\)/);
  });

  it("refuses data and options that do not fit, before anything is compiled", async () => {
    const data = line(8);
    const options = { runtime, steps: 1 };
    const draw = (...shape: number[]) => tensor("float64", shape, new Array(8).fill(0));
    for (const [work, kind, message] of [
      [() => run({}, { x: data.x } as never), DatasetError, /lack the array "y_"; these are taken/],
      [() => run({}, { ...data, z: data.x } as never), DatasetError, /"z" that nothing takes/],
      [
        () => run({}, { ...data, x: tensor("float64", [8, 2], new Array(16).fill(0)) }),
        DatasetError,
        /of shape \[8, 2\], but \[samples, 1\]/,
      ],
      [() => run({}, { ...data, x: line(9).x }), DatasetError, /9 samples of one array, but 8 of "y_"/],
      [
        () => run({}, { ...data, x: tensor("float64", [8, 1], [0, 1, Number.NaN, 3, 4, 5, 6, 7]) }),
        DatasetError,
        /NaN in "x" of sample 2/,
      ],
      [
        () => trained(classification, { x: draw(2, 4), label: tensor("float64", [2], [1, 0.5]) }, options),
        DatasetError,
        /0.5 in "label" of sample 1, but whole numbers are taken/,
      ],
      [
        () =>
          trained(classification, { x: draw(2, 4), label: tensor("float32", [2], [Number.NaN, 1]) }, options),
        DatasetError,
        /NaN in "label" of sample 0. Leave/,
      ],
      [() => run({ batchSize: 100 }), DatasetError, /1 to 40 samples, but 100/],
      [() => run({ patience: 2 }), RevortError, /Give validation/],
      [() => run({ steps: 1.5 }), RevortError, /whole number of 0 or more, but 1.5/],
      [() => run({ parameters: { w: data.x } }), RevortError, /no parameter "w"; it has weight, bias/],
    ] as const) {
      const error = await failure(work(), kind);
      expect(error.message).to.match(message);
    }
  });

  it("refuses models that give nothing, and losses that are no number", async () => {
    const empty = defineTask({ ...regression, model: { ...regression.model, apply: () => ({}) as never } });
    expect(
      (await failure(trained(empty, line(8), { runtime, steps: 1 }), ModelDefinitionError)).message,
    ).to.match(/gives nothing/);
    const vector = defineTask({ ...regression, loss: (b, { outputs }) => mul(b, outputs.y, 1) });
    const error = await failure(trained(vector, line(8), { runtime, steps: 1 }), ModelDefinitionError);
    expect(error.message).to.match(/must be one number, but is float64\[8, 1\]/);
    expect(() => defineTask({ ...regression, targets: { x: { shape: [1] } } } as never)).to.throw(
      ModelDefinitionError,
      /"x" is an input of the model "line" already/,
    );
    expect(trainingOf(null, "a")).to.equal(null);
  });
});
