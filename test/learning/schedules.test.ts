import { readFileSync } from "node:fs";
import { expect } from "chai";
import { RevortError } from "../../src/core/errors.js";
import { tensor } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { sgd } from "../../src/learning/optimisers.js";
import {
  constant,
  cosine,
  exponentialDecay,
  plateau,
  type Schedule,
  stepDecay,
  warmedUp,
} from "../../src/learning/schedules.js";

import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { train } from "../../src/train/train.js";

const factors = (schedule: Schedule, updates: readonly number[]) => updates.map((k) => schedule.factor(k));

describe("schedules", () => {
  it("constant leaves the learning rate alone", () => {
    expect(factors(constant(), [0, 1, 1e6])).to.deep.equal([1, 1, 1]);
  });

  it("step decay multiplies by γ every so many updates", () => {
    expect(factors(stepDecay({ every: 3, gamma: 0.5 }), [0, 2, 3, 5, 6, 9])).to.deep.equal([
      1, 1, 0.5, 0.5, 0.25, 0.125,
    ]);
    expect(stepDecay({ every: 2 }).factor(2)).to.equal(0.1);
  });

  it("exponential decay multiplies by γ at each update", () => {
    expect(factors(exponentialDecay({ gamma: 0.5 }), [0, 1, 2, 10])).to.deep.equal([1, 0.5, 0.25, 2 ** -10]);
  });

  it("cosine falls along half a cosine from 1 to its final factor, and stays there", () => {
    const schedule = cosine({ steps: 100, final: 0.2 });
    const expected = [1, 0.2 + 0.4 * (1 + Math.SQRT1_2), 0.6, 0.2 + 0.4 * (1 - Math.SQRT1_2), 0.2, 0.2];
    for (const [i, k] of [0, 25, 50, 75, 100, 1000].entries()) {
      expect(schedule.factor(k)).to.be.closeTo(expected[i]!, 1e-15);
    }
  });

  it("cosine rises in equal parts while it warms up, and reaches 1 at the last of them", () => {
    const schedule = cosine({ steps: 12, warmup: 4 });
    expect(factors(schedule, [0, 1, 2, 3, 4])).to.deep.equal([0.25, 0.5, 0.75, 1, 1]);
    expect(schedule.factor(8)).to.be.closeTo(0.5, 1e-15);
    expect(schedule.factor(12)).to.equal(0);
  });

  const { torch, losses, plateaus } = JSON.parse(
    readFileSync(new URL("pytorch-learning.json", import.meta.url), "utf8"),
  ) as {
    torch: string;
    losses: number[];
    plateaus: { options: Parameters<typeof plateau>[0]; rates: number[] }[];
  };
  for (const { options, rates } of plateaus) {
    it(`plateau of ${JSON.stringify(options)} has the rates of PyTorch ${torch}, on validations and on means of updates`, () => {
      for (const [i, rate] of rates.entries()) {
        const seen = losses.slice(0, i + 1);
        const validations = seen.map((loss, step) => ({ step, loss }));
        expect(plateau(options).factor(i, { losses: [], validations })).to.be.closeTo(rate, 1e-15);
        // two updates around each loss, and one of the next window, which is not looked at yet
        const pairs = [...seen.flatMap((loss) => [loss - 0.25, loss + 0.25]), -1e9];
        const factor = plateau({ ...options, every: 2 }).factor(0, { losses: pairs, validations: [] });
        expect(factor).to.be.closeTo(rate, 1e-15);
      }
    });
  }

  it("plateau takes a share of the size of a loss that is negative, as log-likelihoods have it", () => {
    const factor = (losses: readonly number[]) =>
      plateau({ patience: 1, gamma: 0.5, threshold: 0.1 }).factor(0, {
        losses: [],
        validations: losses.map((loss, step) => ({ step, loss })),
      });
    // it rises by less than a tenth each time: no new best
    expect(factor([-10, -9.5, -9.2])).to.equal(0.5);
    // it falls by more than a tenth, and by less
    expect(factor([-10, -11.5, -13, -15])).to.equal(1);
    expect(factor([-10, -10.5, -10.9])).to.equal(0.5);
  });

  it("plateau gives the same losses however many updates one run does, and after a resumption", async () => {
    const schedule = plateau({ patience: 1, gamma: 0.5, every: 5, threshold: 0.2 });
    const ode = neuralOde({
      field: mlp({ dim: 1, hidden: [3] }),
      method: reversible(midpoint),
      stepSize: 0.25,
    });
    const data = {
      t0: 0,
      times: [1],
      y0: tensor("float64", [1, 1], [1]),
      observations: tensor("float64", [1, 1, 1], [2]),
    };
    const rates: number[] = [];
    const run = (options: object = {}) =>
      train(ode, data, {
        ...{ runtime: jit(), steps: 40, schedule, check: false, optimiser: sgd({ learningRate: 1 }) },
        ...options,
      });
    const one = await run({
      updatesPerRun: 1,
      onUpdate: ({ learningRate }: { learningRate: number }) => void rates.push(learningRate),
    });
    expect(new Set(rates).size).to.be.above(2);
    // it changes at looks alone
    for (const [k, rate] of rates.entries()) if (k % 5 > 0) expect(rate).to.equal(rates[k - 1]);
    expect((await run()).losses).to.deep.equal(one.losses);
    const { checkpoint } = await run({ steps: 17 });
    expect((await run({ resume: checkpoint })).losses).to.deep.equal(one.losses);
  });

  it("another schedule may follow a warm-up in equal parts", () => {
    const schedule = warmedUp(stepDecay({ every: 2, gamma: 0.5 }), { steps: 4 });
    expect(factors(schedule, [0, 1, 2, 3, 4, 5, 6, 8])).to.deep.equal([0.25, 0.5, 0.75, 1, 1, 1, 0.5, 0.25]);
  });

  it("refuse numbers that are not positive, by name", () => {
    expect(() => stepDecay({ every: 0 })).to.throw(RevortError, '"every" must be positive, but 0 was given');
    expect(() => exponentialDecay({ gamma: -1 })).to.throw(RevortError, '"gamma"');
    expect(() => cosine({ steps: Number.NaN })).to.throw(RevortError, '"steps"');
    expect(() => plateau({ every: 0.5 })).to.throw(RevortError, '"every" must be a whole number');
    expect(() => warmedUp(constant(), { steps: 0 })).to.throw(RevortError, '"steps"');
  });
});
