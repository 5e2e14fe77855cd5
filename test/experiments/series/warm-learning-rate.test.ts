import { expect } from "chai";
import { Random } from "../../../src/core/random.js";
import { scalesOf } from "../../../src/experiments/series/series-set.js";
import { warmLearningRate } from "../../../src/experiments/series/warm-learning-rate.js";

describe("the learning rate after a warm start", () => {
  const times = Array.from({ length: 60 }, (_, k) => k / 59);
  const rate = (...columns: ((t: number) => number)[]) => {
    const values = times.map((t) => columns.map((of) => of(t)));
    return warmLearningRate([{ values }], scalesOf(values, columns.length));
  };
  const random = Random.seeded(1);
  const noisy = (of: (t: number) => number) => (t: number) => of(t) + 0.1 * random.normal();

  it("is small for series of which a column oscillates", () => {
    expect(rate(noisy((t) => Math.sin(4 * Math.PI * t)))).to.equal(1e-3);
    expect(
      rate(
        (t) => t,
        (t) => Math.cos(4 * Math.PI * t),
      ),
    ).to.equal(1e-3);
  });

  it("is ten times that where columns rise, fall, or have a hump, with noise and gaps", () => {
    expect(rate(noisy((t) => Math.exp(-3 * t)))).to.equal(1e-2);
    expect(
      rate(
        noisy((t) => Math.exp(-20 * (t - 0.5) ** 2)),
        (t) => (t < 0.3 ? Number.NaN : t),
      ),
    ).to.equal(1e-2);
    expect(rate(() => 7)).to.equal(1e-2);
  });
});
