import { expect } from "chai";
import { refreshStores } from "../../src/chains/schedule.js";
import { numbers, scalar, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { type Gradients, gradientOf } from "../../src/gradients/evaluate.js";
import type { GradientSpec } from "../../src/gradients/method.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { reversible } from "../../src/methods/reversible.js";
import { reversibleHeun } from "../../src/methods/reversible-heun.js";
import { midpoint, rk4 } from "../../src/methods/tableaux.js";
import { mul } from "../../src/ops/arithmetic.js";
import { gridThrough } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { tensorDistance, tensorsDistance } from "../support/distance.js";
import { randomTask } from "../support/gradients.js";

/** y' = a y */
const linear: VectorField = {
  name: "linear",
  state: ["batch", 1],
  parameters: { a: { shape: [], initial: () => [-1] } },
  apply: (b, theta, _t, y) => mul(b, theta.a!, y),
};

describe("reversible gradients with refreshed states", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  describe("of y' = −y at λ = 0.9 over 1000 steps", () => {
    const gradient = (how: GradientSpec, guarded = true): Promise<Gradients> =>
      gradientOf(neuralOde({ field: linear, method: reversible(rk4, { coupling: 0.9 }), stepSize: 0.01 }), {
        runtime,
        loss: mse(),
        ...{ gradient: how, guarded },
        fit: {
          grid: gridThrough(0, [10], 0.01),
          y0: tensor("float64", [1, 1], [1]),
          target: tensor("float64", [1, 1, 1], [1]),
          weight: null,
        },
        parameters: { a: scalar("float64", -1) },
      });
    const inA = ({ parameters }: Gradients) => numbers(parameters.a!)[0]!;

    it("the plain reconstruction loses y0 and the gradient", async () => {
      const [plain, exact] = [await gradient("reversible", false), await gradient("direct")];
      // undoing a step amplifies rounding by 1/λ: 0.9^−1000 = 6e45
      expect(Math.abs(inA(plain) / inA(exact) - 1)).to.be.above(1);
      expect(Math.abs(numbers(plain.reconstructed!)[0]!)).to.be.above(1e6);
    });

    for (const every of [10, 50, 100]) {
      it(`a stored state every ${every} steps brings both back`, async () => {
        const [found, exact] = [await gradient(`reversible:${every}`), await gradient("direct")];
        // 0.9^−100 = 4e4 times a rounding of 1e−16
        expect(inA(found) / inA(exact)).to.be.closeTo(1, 1e-10);
        expect(numbers(found.reconstructed!)[0]).to.be.closeTo(1, 1e-10);
        expect(found.cost.storedStates).to.equal(1000 / every);
        expect(found.cost.evaluations).to.equal((await gradient("reversible")).cost.evaluations);
      });
    }
  });

  it("agree with those of stored steps, where the number of steps is no multiple and saves lie anywhere", async () => {
    const field = mlp({ dim: 3, hidden: [6] });
    const task = randomTask({ field, stepSize: 0.05, saves: [0, 0.13, 0.2, 1, 1.5], batch: 2, missing: 0.2 });
    for (const method of [reversible(midpoint), reversibleHeun()]) {
      const ode = neuralOde({ field, method, stepSize: 0.05 });
      const all = async (gradient: GradientSpec) => {
        const found = await gradientOf(ode, { runtime, loss: mse(), gradient, ...task });
        return { ...found, all: { ...found.parameters, y0: found.y0 } };
      };
      const direct = await all("direct");
      for (const every of [1, 4, 7, 1000]) {
        const found = await all(`reversible:${every}`);
        // some 30 steps of 1e−16 a rounding
        expect(tensorsDistance(found.all, direct.all)).to.be.below(1e-13);
        expect(tensorDistance(found.reconstructed!, task.fit.y0)).to.be.below(1e-13);
        expect(found.cost.storedStates).to.equal(Math.ceil(found.cost.steps / every));
      }
    }
  });

  it("store a state every so many steps, and that at the end", () => {
    expect(refreshStores(10, 4)).to.deep.equal([4, 8, 10]);
    expect(refreshStores(8, 4)).to.deep.equal([4, 8]);
    expect(refreshStores(3, 4)).to.deep.equal([3]);
  });
});
