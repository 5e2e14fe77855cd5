import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { DriftError } from "../../src/integrate/failures.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { StrictError } from "../../src/integrate/warnings.js";
import { explicit } from "../../src/methods/explicit.js";
import { methodNamed } from "../../src/methods/named.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4 } from "../../src/methods/tableaux.js";
import { mul, neg, sub } from "../../src/ops/arithmetic.js";
import { exp } from "../../src/ops/elementwise.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { failure } from "../support/failure.js";
import { decay, spinning } from "./fields.js";

describe("a solve with fixed steps", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const decayed = (method: ReturnType<typeof methodNamed>, options = {}) =>
    solve(neuralOde({ field: decay, method, stepSize: 0.1 }), {
      ...{ runtime, y0: tensor("float64", [1, 1], [1]), t0: 0, saveAt: [20], ...options },
    });

  it("warns where its two solutions drift apart: y' = −y, T = 20, h = 0.1", async () => {
    // the published numbers: 13.1 with λ = 0.999, −2904 by the reversible Heun method
    for (const [method, y20] of [
      [reversible(rk4), 13.1],
      [methodNamed("reversible-heun"), -2904],
    ] as const) {
      const { ys, stats, warnings } = await decayed(method);
      expect(numbers(ys)[0]! / y20).to.be.closeTo(1, 0.01);
      expect(stats.drift).to.be.above(0.5);
      expect(warnings.map(({ code }) => code)).to.deep.equal(["drift"]);
      const error = await failure(decayed(method, { strict: true }), DriftError);
      expect([error.time, error.step]).to.deep.equal([20, 200]);
    }
  });

  it("warns from a drift of 1 % on", async () => {
    const ode = neuralOde({ field: decay, method: reversible(rk4), stepSize: 0.1 });
    const seen: number[] = [];
    for (let end = 8; end <= 16; end += 0.5) {
      const request = { runtime, y0: tensor("float64", [1, 1], [1]), t0: 0, saveAt: [end] };
      const { stats, warnings } = await solve(ode, request);
      seen.push(stats.drift!);
      expect(warnings.length, `${end}`).to.equal(stats.drift! > 0.01 ? 1 : 0);
    }
    // close enough to the limit on both sides for another one to be noticed
    expect(seen.some((drift) => drift > 0.003 && drift < 0.01)).to.equal(true);
    expect(seen.some((drift) => drift > 0.01 && drift < 0.03)).to.equal(true);
  });

  it("sees damping that lasts for a tenth of a solve, where it is asked to look", async () => {
    const width = 0.05;
    // y' = −k(t) y, k = 2 e^(−((t − 0.3) / width)²)
    const field: VectorField = {
      name: "damped for a moment",
      state: ["batch", 1],
      parameters: {},
      apply(b, _theta, t, y) {
        const at = mul(b, sub(b, t, 0.3), 1 / width);
        return mul(b, mul(b, y, -2), exp(b, neg(b, mul(b, at, at))));
      },
    };
    const ode = neuralOde({ field, method: reversible(rk4), stepSize: 0.01 });
    const saveAt = Array.from({ length: 100 }, (_, i) => (i + 1) / 100);
    const request = { runtime, y0: tensor("float64", [1, 1], [1]), t0: 0, saveAt, checkStability: true };
    const { stats } = await solve(ode, request);
    // 2 · 0.01 at the most, and a look at every seventh time is at most 0.035 away from there
    expect(stats.stability!.dampingTimesStep).to.be.within(
      0.02 * Math.exp(-((0.035 / width) ** 2)) * 0.95,
      0.02 * 1.01,
    );
  });

  it("does not where all is well", async () => {
    const { stats, warnings } = await decayed(reversible(rk4, { coupling: 0.9 }), { strict: true });
    // λ damps what the steps add: some times their error, of 1e-8
    expect(stats.drift).to.be.below(1e-6);
    expect(warnings).to.deep.equal([]);
    const plain = await decayed(explicit(rk4));
    expect([plain.stats.drift, plain.stats.reconstructionError]).to.deep.equal([null, null]);
  });

  it("says how well y0 comes back, if asked", async () => {
    const request = {
      runtime,
      y0: tensor("float64", [1, 2], [0, 1]),
      t0: 0,
      saveAt: [1, 2],
      checkReconstruction: true,
    };
    const ode = (coupling: number, stepSize: number) =>
      neuralOde({ field: spinning, method: reversible(midpoint, { coupling }), stepSize });
    const good = await solve(ode(0.999, 0.01), request);
    expect(good.stats.reconstructionError).to.be.below(1e-12);
    // λ^−n is 1e9 for n = 200 steps with λ = 0.9, and 1e46 for n = 1000
    const fair = await solve(ode(0.9, 0.01), request);
    expect(fair.stats.reconstructionError).to.be.within(1e-10, 1e-3);
    const lost = await solve(ode(0.9, 0.002), request);
    expect(lost.warnings.map(({ code }) => code)).to.deep.equal(["reconstruction"]);
    const refused = await failure(solve(ode(0.9, 0.002), { ...request, strict: true }), StrictError);
    expect(refused.warnings).to.deep.equal(lost.warnings);
    const unasked = await solve(ode(0.999, 0.01), { ...request, checkReconstruction: false });
    expect(unasked.stats.reconstructionError).to.equal(null);
  });
});
