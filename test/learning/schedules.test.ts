import { expect } from "chai";
import { RevortError } from "../../src/core/errors.js";
import {
  constant,
  cosine,
  exponentialDecay,
  type Schedule,
  stepDecay,
} from "../../src/learning/schedules.js";

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

  it("refuse numbers that are not positive, by name", () => {
    expect(() => stepDecay({ every: 0 })).to.throw(RevortError, '"every" must be positive, but 0 was given');
    expect(() => exponentialDecay({ gamma: -1 })).to.throw(RevortError, '"gamma"');
    expect(() => cosine({ steps: Number.NaN })).to.throw(RevortError, '"steps"');
  });
});
