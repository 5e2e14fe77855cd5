import { expect } from "chai";
import { numbers } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { type Gradients, gradientOf } from "../../src/gradients/evaluate.js";
import { Builder } from "../../src/graph/builder.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { euler, midpoint, ralston3, rk4 } from "../../src/methods/tableaux.js";
import { adjointField } from "../../src/programs/backward-continuous.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance, tensorDistance, tensorsDistance } from "../support/distance.js";
import { randomTask } from "../support/gradients.js";

describe("the continuous adjoint", () => {
  const field = mlp({ dim: 3, hidden: [8] });
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });
  const all = ({ parameters, y0 }: Gradients) => ({ ...parameters, y0 });

  const methods = {
    euler: explicit(euler),
    midpoint: explicit(midpoint),
    ralston3: explicit(ralston3),
    rk4: explicit(rk4),
    "reversible midpoint": reversible(midpoint),
    "reversible rk4": reversible(rk4),
  };
  for (const [name, method] of Object.entries(methods)) {
    it(`by ${name} differs from the gradient of the solve by a term of order ${method.order} in the step`, async () => {
      const difference = async (stepSize: number) => {
        const task = randomTask({ field, stepSize, saves: [0.4, 1.6], batch: 2 });
        const ode = neuralOde({ field, method, stepSize });
        const options = { runtime, loss: mse(), times: true, ...task };
        const [direct, found] = [
          await gradientOf(ode, { ...options, gradient: "direct" }),
          await gradientOf(ode, { ...options, gradient: "continuous" }),
        ];
        expect(found.loss).to.equal(direct.loss);
        return [
          tensorsDistance(all(found), all(direct)),
          Math.abs(found.times!.saves[1]! - direct.times!.saves[1]!),
        ];
      };
      const [coarse, fine] = [await difference(0.1), await difference(0.05)];
      for (const i of [0, 1]) {
        // the order of a smooth problem at steps this small is seen to a tenth
        expect(Math.log2(coarse[i]! / fine[i]!)).to.be.closeTo(method.order, 0.15);
      }
    });
  }

  it("is not exact: with coarse steps it is off where stored steps are not", async () => {
    const task = randomTask({ field, stepSize: 0.2, saves: [1.6] });
    const ode = neuralOde({ field, method: explicit(midpoint), stepSize: 0.2 });
    const [direct, found] = await Promise.all(
      (["direct", "continuous"] as const).map((gradient) =>
        gradientOf(ode, { runtime, loss: mse(), gradient, ...task }),
      ),
    );
    expect(tensorsDistance(all(found!), all(direct!))).to.be.above(1e-4);
    expect(found!.cost.storedStates).to.equal(1);
  });

  it("takes in a cotangent at each save, and y as it was saved there", async () => {
    const saves = Array.from({ length: 40 }, (_, i) => (i + 1) / 20);
    const task = randomTask({ field, stepSize: 0.025, saves, batch: 2 });
    const ode = neuralOde({ field, method: explicit(rk4), stepSize: 0.025 });
    const [direct, found] = await Promise.all(
      (["direct", "continuous"] as const).map((gradient) =>
        gradientOf(ode, { runtime, loss: mse(), gradient, ...task }),
      ),
    );
    // fourth order at h = 0.025: 4e−7 times a constant of the problem
    expect(tensorsDistance(all(found!), all(direct!))).to.be.below(1e-8);
    // reconstructed over two steps from the first save, not over 80
    expect(tensorDistance(found!.reconstructed!, task.fit.y0)).to.be.below(1e-10);
  });

  it("solves the equation of y, of the cotangent and of the gradient side by side", async () => {
    const random = randomTask({ field, stepSize: 0.1, saves: [1] });
    const adjoint = adjointField(field, [1, 3]);
    const count = Object.values(random.parameters).reduce((sum, { data }) => sum + data.length, 0);
    expect(adjoint.state).to.deep.equal([6 + count]);
    expect(adjoint.size).to.equal(6);

    const b = new Builder();
    const theta = Object.fromEntries(
      Object.entries(random.parameters).map(([name, value]) => [name, b.constant(value)]),
    );
    const [t, vector] = [b.input("t", "float64", []), b.input("vector", "float64", adjoint.state)];
    const { y } = adjoint.part(b, vector);
    const graph = b.graph({ slope: field.apply(b, theta, t, y), all: adjoint.apply(b, theta, t, vector) });
    const executable = await runtime.compile(graph);
    const state = Array.from({ length: 6 + count }, (_, i) => Math.sin(i + 1));
    const run = async (values: readonly number[]) => {
      const results = await executable.run({
        t: runtime.upload({ dtype: "float64", shape: [], data: Float64Array.of(0.3) }),
        vector: runtime.upload({ dtype: "float64", shape: [values.length], data: Float64Array.from(values) }),
      });
      return {
        slope: numbers(await runtime.download(results.slope!)),
        all: numbers(await runtime.download(results.all!)),
      };
    };
    const { slope, all: whole } = await run(state);
    expect(whole.slice(0, 3)).to.deep.equal(slope);
    // −[∂y f]ᵀ a by central differences, whose error is δ² = 1e−10 and 1e−16 / δ
    const a = state.slice(3, 6);
    for (const j of [0, 1, 2]) {
      const moved = (by: number) => run(state.map((value, i) => (i === j ? value + by : value)));
      const [up, down] = [(await moved(1e-5)).slope, (await moved(-1e-5)).slope];
      const expected = -a.reduce((sum, ai, i) => sum + (ai * (up[i]! - down[i]!)) / 2e-5, 0);
      expect(distance([whole[3 + j]!], [expected])).to.be.below(1e-8);
    }
    await executable.release();
  });
});
