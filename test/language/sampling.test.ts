import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import {
  checkSampling,
  drawToken,
  SamplingError,
  type SamplingOptions,
} from "../../src/language/sampling.js";

/** How often each token is drawn. */
function shares(logits: readonly number[], options: SamplingOptions, draws = 20_000): number[] {
  const random = Random.seeded(5);
  const counts = logits.map(() => 0);
  for (let i = 0; i < draws; i++) counts[drawToken(Float32Array.from(logits), options, random)]! += 1;
  return counts.map((count) => count / draws);
}

const probabilities = [0.1, 0.4, 0.2, 0.3];
const logits = probabilities.map(Math.log);
/** Four deviations of a share of 20 000 draws: 4 √(1/4 / 20000) */
const tolerance = 0.015;

function expectShares(found: readonly number[], expected: readonly number[]): void {
  for (const [id, share] of expected.entries())
    expect(found[id], `token ${id}`).to.be.closeTo(share, tolerance);
}

describe("sampling", () => {
  it("draws tokens as often as the softmax says", () => expectShares(shares(logits, {}), probabilities));

  it("divides logits by the temperature", () => {
    const squared = probabilities.map((p) => p * p);
    const sum = squared.reduce((total, p) => total + p, 0);
    expectShares(
      shares(logits, { temperature: 0.5 }),
      squared.map((p) => p / sum),
    );
  });

  it("takes the likeliest at temperature 0, and of several the first", () => {
    expect(shares([1, 3, 3, 2], { temperature: 0 }, 20)).to.deep.equal([0, 1, 0, 0]);
  });

  it("draws from the likeliest k alone", () =>
    expectShares(shares(logits, { topK: 2 }), [0, 4 / 7, 0, 3 / 7]));

  it("draws from the fewest that reach the probability p", () => {
    expectShares(shares(logits, { topP: 0.65 }), [0, 4 / 7, 0, 3 / 7]);
    expectShares(shares(logits, { topP: 0.75 }), [0, 4 / 9, 2 / 9, 3 / 9]);
    // of the two likeliest, 4/7 and 3/7, one alone has more than a half
    expectShares(shares(logits, { topK: 2, topP: 0.5 }), [0, 1, 0, 0]);
  });

  it("has among the fewest that reach p none that a full sort would not have", () => {
    const random = Random.seeded(9);
    for (let trial = 0; trial < 50; trial++) {
      const values = Array.from({ length: 60 }, () => 2 * random.normal());
      const p = random.uniform(0.05, 0.99);
      const weights = values.map((value) => Math.exp(value - Math.max(...values)));
      const order = weights.map((_, id) => id).sort((a, b) => weights[b]! - weights[a]!);
      let sum = 0;
      const total = weights.reduce((s, w) => s + w, 0);
      const end = order.findIndex((id) => {
        sum += weights[id]!;
        return sum >= p * total;
      });
      const allowed = new Set(order.slice(0, end + 1));
      const found = shares(values, { topP: p }, 200);
      for (const [id, share] of found.entries()) if (share > 0) expect(allowed.has(id)).to.equal(true);
    }
  });

  it("refuses options out of range and logits that are not finite, saying which", () => {
    for (const [options, message] of [
      [{ temperature: -1 }, "The temperature of sampling must be 0 or more, but -1 was given."],
      [{ topK: 0 }, "The topK of sampling must be a whole number, 1 or more, but 0 was given."],
      [{ topP: 1.5 }, "The topP of sampling must be in (0, 1], but 1.5 was given."],
    ] as const) {
      expect(() => checkSampling(options)).to.throw(SamplingError, message);
    }
    expect(() => drawToken(Float32Array.of(0, Number.NaN), {}, Random.seeded(1))).to.throw(
      SamplingError,
      "The logit of token 1 is NaN",
    );
  });
});
