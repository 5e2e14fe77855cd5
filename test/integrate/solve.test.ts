import { expect } from "chai";
import { numbers, ShapeError, tensor } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { lotkaVolterra } from "../../src/fields/physical.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { DivergenceError, ParameterError, solve } from "../../src/integrate/solve.js";
import { reversible } from "../../src/methods/reversible.js";
import { euler, midpoint, rk4 } from "../../src/methods/tableaux.js";
import { TimeError } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import { squaring } from "../support/fields.js";
import { plainIncrement } from "../support/plain-runge-kutta.js";

const a = { a: tensor("float64", [], [0.5]) };
/** y' = y²/2 from 1: y = 1 / (1 − t/2). */
const exact = (t: number) => 1 / (1 - t / 2);
const one = tensor("float64", [1], [1]);

describe("solve", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  it("follows the exact solution, at each save time", async () => {
    const ode = neuralOde({ field: squaring, method: reversible(rk4), stepSize: 0.01 });
    const saveAt = [0, 0.01, 0.5, 0.777, 1];
    const { ts, ys, stats } = await solve(ode, { runtime, parameters: a, y0: one, t0: 0, saveAt });
    expect(ts).to.deep.equal(saveAt);
    expect(ys.shape).to.deep.equal([5, 1, 1]);
    // RK4's error over 100 steps of 0.01
    expect(distance(numbers(ys), saveAt.map(exact))).to.be.below(1e-9);
    // 1 + 49 + 28 + 23 steps, each of two steps of RK4
    expect([stats.steps, stats.evaluations]).to.deep.equal([101, 808]);
  });

  it("goes back in time to where it came from, as far as the method is exact", async () => {
    const ode = neuralOde({ field: squaring, method: rk4, stepSize: 0.01 });
    const forth = await solve(ode, { runtime, parameters: a, y0: one, t0: 0, saveAt: [1] });
    const y0 = tensor("float64", [1], numbers(forth.ys));
    const back = await solve(ode, { runtime, parameters: a, y0, t0: 1, saveAt: [0.5, 0] });
    expect(distance(numbers(back.ys), [exact(0.5), 1])).to.be.below(1e-9);
  });

  it("gives the same states whether they are saved on the way or not", async () => {
    const ode = neuralOde({ field: squaring, method: reversible(midpoint), stepSize: 0.125 });
    const often = await solve(ode, {
      ...{ runtime, parameters: a, y0: one, t0: 0 },
      saveAt: [0.125, 0.25, 0.375, 0.5],
    });
    const seldom = await solve(ode, { runtime, parameters: a, y0: one, t0: 0, saveAt: [0.25, 0.5] });
    const last = await solve(ode, { runtime, parameters: a, y0: one, t0: 0, saveAt: [0.5] });
    expect(numbers(seldom.ys)).to.deep.equal([numbers(often.ys)[1], numbers(often.ys)[3]]);
    expect(numbers(last.ys)).to.deep.equal([numbers(often.ys)[3]]);
  });

  it("solves a batch as it solves each of it", async () => {
    const field = lotkaVolterra();
    const parameters = Object.fromEntries(
      Object.entries({ alpha: 1.1, beta: 0.4, delta: 0.1, gamma: 0.4 }).map(([name, value]) => [
        name,
        tensor("float64", [], [value]),
      ]),
    );
    const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.1 });
    const starts = [
      [10, 5],
      [3, 1],
      [7, 7],
    ];
    const options = { runtime, parameters, t0: 0, saveAt: [1, 3] };
    const all = await solve(ode, { ...options, y0: tensor("float64", [3, 2], starts.flat()) });
    expect(all.ys.shape).to.deep.equal([2, 3, 2]);
    for (const [i, start] of starts.entries()) {
      const { ys } = await solve(ode, { ...options, y0: tensor("float64", [2], start) });
      const own = [0, 1].flatMap((save) => numbers(all.ys).slice(save * 6 + i * 2, save * 6 + i * 2 + 2));
      // vectorised operators may round otherwise
      expect(distance(own, numbers(ys))).to.be.below(1e-13);
    }
  });

  it("takes the steps that the formula says, in plain numbers", async () => {
    const ode = neuralOde({ field: squaring, method: rk4, stepSize: 0.25 });
    const { ys } = await solve(ode, { runtime, parameters: a, y0: one, t0: 0, saveAt: [1] });
    let y = [1];
    for (let i = 0; i < 4; i++) {
      const psi = plainIncrement(rk4, (_, [x]) => [0.5 * x! * x!], 0.25, i / 4, y);
      y = [y[0]! + psi[0]!];
    }
    expect(distance(numbers(ys), y)).to.be.below(1e-14);
  });

  it("solves in float32 where asked", async () => {
    const ode = neuralOde({ field: squaring, method: rk4, stepSize: 0.01, dtype: "float32" });
    const { ys } = await solve(ode, { runtime, parameters: a, y0: one, t0: 0, saveAt: [1] });
    expect(ys.dtype).to.equal("float32");
    // 100 roundings of 6e-8
    expect(distance(numbers(ys), [2])).to.be.within(1e-12, 5e-6);
  });

  describe("refuses", () => {
    const ode = neuralOde({ field: squaring, method: euler, stepSize: 0.1 });
    const options = () => ({ runtime, parameters: a, y0: one, t0: 0, saveAt: [1] });

    it("an initial state that is none of the field's", async () => {
      const y0 = tensor("float64", [2, 3], new Float64Array(6));
      const { message } = await failure(solve(ode, { ...options(), y0 }), ShapeError);
      expect(message).to.contain('"squaring"').and.contain("[batch, 1]").and.contain("[2, 3]");
    });

    it("an initial state that is not finite", async () => {
      const y0 = tensor("float64", [1], [Number.POSITIVE_INFINITY]);
      expect((await failure(solve(ode, { ...options(), y0 }), ShapeError)).message).to.contain("component 0");
    });

    it("parameters that do not fit", async () => {
      const { message } = await failure(solve(ode, { ...options(), parameters: {} }), ParameterError);
      expect(message).to.contain('"a" []').and.contain("missing");
      const field = mlp({ dim: 1, hidden: [] });
      const other = await failure(solve({ ...ode, field }, options()), ParameterError);
      expect(other.message).to.contain('no parameter "a"').and.contain("layers.0.weight, layers.0.bias");
    });

    it("times out of order", async () => {
      const { message } = await failure(solve(ode, { ...options(), saveAt: [1, 0.5] }), TimeError);
      expect(message).to.contain("0.5 follows 1");
    });
  });

  for (const [kind, method] of [
    ["plain", euler],
    ["coupled", reversible(euler)],
  ] as const) {
    it(`names the step and the time at which it leaves the finite numbers, ${kind}`, async () => {
      const ode = neuralOde({ field: squaring, method, stepSize: 0.25 });
      const parameters = { a: tensor("float64", [], [1]) };
      const error = await failure(
        solve(ode, { runtime, parameters, y0: one, t0: 0, saveAt: [0.5, 10, 20] }),
        DivergenceError,
      );
      // the same steps in plain numbers: y1 = 0.999 (y − z) + z + h z², z1 = z + h y1² (Ψ₋ₕ(y1) = −h y1²)
      let [step, y, z] = [0, 1, 1];
      while (Number.isFinite(y)) {
        step += 1;
        if (kind === "plain") y += 0.25 * y * y;
        else {
          y = 0.999 * (y - z) + z + 0.25 * z * z;
          z += 0.25 * y * y;
        }
      }
      expect(step).to.be.within(5, 20);
      expect([error.step, error.time]).to.deep.equal([step, step / 4]);
      expect(error.message).to.contain(`step ${step}`).and.contain("now 0.25");
    });
  }
});
