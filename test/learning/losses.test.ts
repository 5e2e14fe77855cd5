import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers } from "../../src/core/tensor.js";
import { huber, l1, losses, mse } from "../../src/learning/losses.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { evaluate, rows } from "../support/evaluate.js";

/** What each residual d adds, as the textbook has it. */
const formulas: Record<string, [ReturnType<typeof mse>, (d: number) => number]> = {
  mse: [mse(), (d) => d * d],
  l1: [l1(), Math.abs],
  huber: [huber(), (d) => (Math.abs(d) <= 1 ? (d * d) / 2 : Math.abs(d) - 0.5)],
  "huber of δ = 0.3": [
    huber({ delta: 0.3 }),
    (d) => (Math.abs(d) <= 0.3 ? (d * d) / 2 : 0.3 * (Math.abs(d) - 0.15)),
  ],
};

describe("losses", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const random = Random.seeded(8);
  const draw = () => Array.from({ length: 40 }, () => random.normal());
  const [prediction, target] = [draw(), draw()];
  // about a third is missing, and of the rest some count less or more
  const weight: number[] = prediction.map(() => [0, 0, 1, 1, 0.25, 3][random.integer(6)]!);

  for (const [name, [loss, formula]] of Object.entries(formulas)) {
    it(`${name} is the mean of its formula`, async () => {
      const { value } = await evaluate(
        runtime,
        { p: rows(prediction, 4), y: rows(target, 4) },
        (b, { p, y }) => ({ value: loss.apply(b, p!, y!, null) }),
      );
      const expected = prediction.reduce((sum, p, i) => sum + formula(p - target[i]!), 0) / 40;
      // a sum of 40 terms in another order
      expect(numbers(value)[0]! / expected).to.be.closeTo(1, 1e-14);
      expect(value.shape).to.deep.equal([]);
    });

    it(`${name} is the weighted mean of its formula, where there are weights`, async () => {
      const { value } = await evaluate(
        runtime,
        { p: rows(prediction, 4), y: rows(target, 4), w: rows(weight, 4) },
        (b, { p, y, w }) => ({ value: loss.apply(b, p!, y!, w!) }),
      );
      const seen = weight.reduce((sum, w) => sum + w, 0);
      const expected = prediction.reduce((sum, p, i) => sum + weight[i]! * formula(p - target[i]!), 0) / seen;
      expect(numbers(value)[0]! / expected).to.be.closeTo(1, 1e-14);
    });
  }

  it("huber's two branches meet at δ", async () => {
    const { value } = await evaluate(runtime, { p: rows([0.5, -0.5]), y: rows([0, 0]) }, (b, { p, y }) => ({
      value: huber({ delta: 0.5 }).apply(b, p!, y!, null),
    }));
    expect(numbers(value)).to.deep.equal([0.125]);
  });

  it("huber refuses a δ that is not positive", () => {
    for (const delta of [0, -1, Number.NaN]) {
      expect(() => huber({ delta })).to.throw(`Huber's δ must be positive, but ${delta} was given.`);
    }
  });

  it("are known by the names that users type", () => {
    expect(Object.entries(losses).map(([name, make]) => make().name.startsWith(name))).to.deep.equal([
      true,
      true,
      true,
    ]);
  });
});
