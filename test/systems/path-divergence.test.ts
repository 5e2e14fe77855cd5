import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import { neuralSde } from "../../src/integrate/neural-sde.js";
import { solveSde } from "../../src/library/sde.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { withPathDivergence } from "../../src/systems/path-divergence.js";
import { defineSde, SdeError } from "../../src/systems/sde.js";

const [rate, g] = [1.5, 0.8];

/** dy = −1.5 y dt + 0.8 dW in each of two components */
const decaying = defineSde({
  ...{ name: "decaying", dim: 2, calculus: "stratonovich", noise: "diagonal" },
  drift: (b, _theta, _t, y) => mul(b, y, -rate),
  // one for all samples
  diffusion: (b) => b.constant(tensor("float64", [1, 2], [g, g])),
});

describe("how far the law of paths is from that of another drift", () => {
  const equationOf = (prior: Parameters<typeof withPathDivergence>[1]) =>
    neuralSde({ sde: withPathDivergence(decaying, prior), stepSize: 0.05 });

  it("grows by ½ ‖c / g‖² where the drifts differ by c, whatever the noise, and leaves the paths as they are", async () => {
    const c = [0.5, -0.3];
    const equation = equationOf((b, _theta, _t, y) =>
      add(b, mul(b, y, -rate), b.constant(tensor("float64", [1, 2], c))),
    );
    const { ys } = await solveSde(jit, equation, { y0: [1, -1, 0], paths: 3, saveAt: [0.5, 2], seed: 1 });
    expect(ys.shape).to.deep.equal([2, 3, 3]);
    const exact = (0.5 * (c[0]! ** 2 + c[1]! ** 2)) / g ** 2;
    const values = numbers(ys);
    for (const [k, t] of [0.5, 2].entries()) {
      for (const path of [0, 1, 2]) expect(values[9 * k + 3 * path + 2]).to.be.closeTo(exact * t, 1e-12);
    }
  });

  it("is on average that of two linear drifts in closed form: ½ ((a − b) / g)² ∫ E y² dt", async () => {
    const other = 0.5;
    const [paths, end, start] = [2000, 1, 1];
    const equation = equationOf((b, _theta, _t, y) => mul(b, y, -other));
    const { ys } = await solveSde(jit, equation, { y0: [start, start, 0], paths, saveAt: [end], seed: 2 });
    const found = numbers(ys).filter((_, i) => i % 3 === 2);
    const mean = found.reduce((sum, x) => sum + x, 0) / paths;
    const deviation = Math.sqrt(found.reduce((sum, x) => sum + (x - mean) ** 2, 0) / paths);
    const variance = g ** 2 / (2 * rate);
    // E y² = e^(−2at) y0² + g² / 2a (1 − e^(−2at)), of two components
    const decay = (1 - Math.exp(-2 * rate * end)) / (2 * rate);
    const squares = 2 * (decay * start ** 2 + variance * (end - decay));
    const exact = 0.5 * ((rate - other) / g) ** 2 * squares;
    // three standard deviations of the mean, and the error of steps of 0.05 in an integral of order 1
    expect(mean).to.be.closeTo(exact, (3 * deviation) / Math.sqrt(paths) + 0.01 * exact);
  });

  it("needs diagonal noise", () => {
    const scalar = defineSde({ ...decaying, noise: "scalar", motions: 1 });
    expect(() => withPathDivergence(scalar, decaying.drift)).to.throw(SdeError, "scalar noise");
  });
});
