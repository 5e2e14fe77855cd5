import { expect } from "chai";
import {
  adam,
  adamw,
  cosine,
  defineModel,
  defineTask,
  differentiator,
  euler,
  gradientOf,
  huber,
  l1,
  mlp,
  mse,
  neuralOde,
  numbers,
  OptionError,
  RevortError,
  rmsprop,
  ShapeError,
  sgd,
  TimeError,
  tensor,
  train,
  // under another name: linters take a call of fit for a focused test
  fit as trained,
} from "../../src/index.js";
import { linear } from "../../src/nn.js";
import { reduceMean } from "../../src/ops.js";
import { failure } from "../support/failure.js";

const rejection = (promise: Promise<unknown>) => failure(promise, RevortError);

// y' = a y + c from 1 with a = −1, c = 0: observations e^(−t)
const times = [0.5, 1, 1.5, 2];
const observations = times.map((t) => [Math.exp(-t)]);
const data = { t0: 0, times, y0: [1], observations };
const affine = mlp({ dim: 1, hidden: [], time: false });
const start = { "layers.0.weight": [[-0.5]], "layers.0.bias": [0] };

describe("fit", () => {
  it("refuses options that there are not, saying where they belong", async () => {
    const task = defineTask({
      model: defineModel({
        name: "line",
        ...linear(1, 1),
        inputs: { x: { shape: [1] } },
        apply: (b, theta, { x }) => ({ y: linear(1, 1).apply(b, theta, x) }),
      }),
      targets: {},
      loss: (b, { outputs }) => reduceMean(b, outputs.y),
    });
    const samples = { x: tensor("float64", [2, 1], [1, 2]) };
    for (const [options, message] of [
      [{ steps: 1, epochs: 3 }, "the number of updates is steps"],
      [{ steps: 1, accumulate: 3 }, "say parts"],
      [{ steps: 1, batchsize: 3 }, 'did you mean "batchSize"'],
      [{ steps: 1, threads: 0 }, 'threads of fit are "auto" or a whole number of 1 or more, but 0'],
      [{ steps: 1, threads: "all" }, 'but "all" was given'],
      [{ batchSize: 2 }, "needs the number of updates, steps: 1000"],
    ] as const) {
      const error = await rejection(trained(task, samples, options as never));
      expect(error).to.be.instanceOf(OptionError);
      expect(error.message).to.include(message);
    }
    expect((await trained(task, samples, { steps: 2 })).losses).to.have.length(2);
  });
});

describe("train", () => {
  it("takes a bare field, nested arrays, and losses and optimisers by name", async () => {
    const options = {
      steps: 300,
      parameters: start,
      loss: "mse",
      optimiser: adamw({ learningRate: 0.05 }),
    } as const;
    const { parameters, losses } = await train(affine, data, options);
    expect(losses[0]).to.be.above(0.01);
    // 300 updates of 0.05 reach the rate to some thousandths
    expect(numbers(parameters["layers.0.weight"]!)[0]).to.be.closeTo(-1, 0.02);
    const named = await train(affine, data, { ...options, steps: 2, optimiser: "adamw" });
    const made = await train(affine, data, { ...options, steps: 2, optimiser: adamw() });
    expect(named.losses).to.deep.equal(made.losses);
  });

  it("takes one trajectory without its axis, a component without its own, and gaps as null", async () => {
    const options = { steps: 1, parameters: start };
    const given = [observations, observations.map((row) => [row]), observations.flat()];
    const losses = await Promise.all(
      given.map(
        async (values) => (await train(affine, { ...data, observations: values }, options)).losses[0],
      ),
    );
    expect(new Set(losses).size).to.equal(1);
    const gap = [[null], ...observations.slice(1)];
    const [loss] = (await train(affine, { ...data, observations: gap }, options)).losses;
    // the solution at the start is e^(−t/2), to 1e−6
    const expected = times.slice(1).map((t) => (Math.exp(-t / 2) - Math.exp(-t)) ** 2);
    expect(loss).to.be.closeTo(expected.reduce((sum, term) => sum + term, 0) / 3, 1e-5);
  });

  const asked = (more: object, options: object = {}) =>
    rejection(train(affine, { ...data, ...more } as never, { steps: 1, ...options } as never));

  it("refuses observations of another shape, saying which axes were swapped", async () => {
    const twice = { y0: [[1], [2]], observations: [observations, observations] };
    const error = await asked(twice);
    expect(error).to.be.instanceOf(ShapeError);
    expect(error.message).to.match(
      /of 2 trajectories at 4 times must have the shape \[4, 2, 1\].*Swap the first two/,
    );
    expect(await asked({ observations: observations.slice(1) })).to.be.instanceOf(ShapeError);
  });

  it("refuses times that are not in order, naming the pair", async () => {
    const error = await asked({ times: [1, 0.5, 1.5, 2] });
    expect(error).to.be.instanceOf(TimeError);
    expect(error.message).to.match(/sort them together with the observations.*0\.5 follows 1/);
    expect((await asked({ times: ["1", 2, 3, 4] })).message).to.match(/the one at index 0 is "1"/);
  });

  it("refuses data and options that there are not, or that are missing", async () => {
    expect((await asked({ ys: [1] })).message).to.match(/The data has no option "ys": say observations/);
    expect((await asked({ times: undefined })).message).to.match(/The data need times/);
    expect((await asked({}, { learningRate: 1 })).message).to.match(/it belongs to the optimiser, adamw\(/);
    expect((await asked({}, { epochs: 9 })).message).to.match(/the number of updates is steps/);
    expect((await asked({}, { batchsize: 9 })).message).to.match(/did you mean "batchSize"\?/);
    expect((await asked({}, { steps: undefined })).message).to.match(/needs the number of updates/);
    expect((await asked({}, { loss: mse })).message).to.match(
      /the function mse was given\. Call it: mse\(\)/,
    );
    expect((await asked({}, { optimiser: "adagrad" })).message).to.match(
      /one of "sgd", "adam", "adamw", "adamax", "rmsprop"/,
    );
  });

  it("refuses an equation that cannot choose its steps and was given none", async () => {
    const ode = neuralOde({ field: affine, method: euler });
    const error = await rejection(train(ode, data, { steps: 1 }));
    expect(error).to.be.instanceOf(TimeError);
    expect(error.message).to.match(/There is no step size/);
  });
});

describe("gradientOf", () => {
  it("takes trajectories as train does, and is the derivative of the closed form", async () => {
    const { loss, parameters } = await gradientOf(affine, { fit: data, parameters: start });
    // L = mean (e^(a t) − e^(−t))², dL/da = mean 2 (e^(a t) − e^(−t)) t e^(a t) at a = −½; steps err by some 1e−6
    const terms = times.map((t) => [Math.exp(-t / 2), Math.exp(-t), t] as const);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(loss).to.be.closeTo(mean(terms.map(([y, seen]) => (y - seen) ** 2)), 1e-5);
    expect(numbers(parameters["layers.0.weight"]!)[0]).to.be.closeTo(
      mean(terms.map(([y, seen, t]) => 2 * (y - seen) * t * y)),
      1e-4,
    );
  });

  it("refuses options that there are not", async () => {
    const error = await rejection(gradientOf(affine, { fit: data, adjoint: "direct" } as never));
    expect(error).to.be.instanceOf(OptionError);
    expect(error.message).to.match(/"adjoint": say gradient/);
    const ode = neuralOde({ field: affine, stepSize: 0.1 });
    expect((await rejection(differentiator(ode, {} as never))).message).to.match(/what the loss is taken on/);
  });
});

describe("what optimisers, losses and schedules refuse", () => {
  it("options by another name, which would otherwise be ignored", () => {
    const js = (options: object) => options as never;
    expect(() => adamw(js({ lr: 1e-3 }))).to.throw(OptionError, /"lr": say learningRate/);
    expect(() => adam(js({ weightDecay: 1e-3 }))).to.throw(OptionError, /adamw\({ weightDecay }\)/);
    expect(() => sgd(js({ learning_rate: 1e-3 }))).to.throw(OptionError, /did you mean "learningRate"\?/);
    expect(() => rmsprop(js({ alpha: 0.9 }))).to.throw(OptionError, /α is decay/);
    expect(() => huber(js({ Delta: 2 }))).to.throw(OptionError, /"delta"/);
    expect(() => cosine(js({ step: 2 }))).to.throw(OptionError, /"steps"/);
    expect(() => adamw(1e-3 as never)).to.throw(OptionError, /a record of options, but 0\.001/);
    expect(l1().name).to.equal("l1");
  });
});
