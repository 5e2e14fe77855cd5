import { expect } from "chai";
import { GradientMethodError } from "../../src/chains/syntax.js";
import { numbers } from "../../src/core/tensor.js";
import type { Tensors } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { type Gradients, gradientOf } from "../../src/gradients/evaluate.js";
import type { Value } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { explicit } from "../../src/methods/explicit.js";
import { increment } from "../../src/methods/increment.js";
import type { Method, ReversibleMethod, System } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { euler, midpoint, rk4, tableaux } from "../../src/methods/tableaux.js";
import { add, div, mul, sub } from "../../src/ops/arithmetic.js";
import type { ExactGraphGradient } from "../../src/programs/adjoints.js";
import { gridThrough } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance, tensorDistance, tensorsDistance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import {
  along,
  directionalDerivatives,
  randomDirections,
  randomTask,
  type Task,
} from "../support/gradients.js";

/** concat[t, y] → tanh → dy/dt: nonlinear, and time matters. */
const field = mlp({ dim: 3, hidden: [8] });

const range = (count: number, last: number) =>
  Array.from({ length: count }, (_, i) => ((i + 1) * last) / count);

/** What gradients are checked on: 1000 steps each. */
const situations = {
  "a save after every step": { saves: range(1000, 2) },
  "the final time only": { saves: [2] },
  "irregular saves, one of them at t0": { saves: [0, 0.1, 0.123, 0.7, 1.999, 2] },
  "a solve backward in time": { t0: 2, saves: [1.7, 0.4, 0] },
  "a batch of five trajectories": { saves: [0.5, 2], batch: 5 },
  "data of which some are missing": { saves: range(10, 2), batch: 3, missing: 0.4 },
} as const;

describe("gradients", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const gradient = (
    method: Method,
    how: ExactGraphGradient,
    { fit, parameters }: Task,
    dtype: "float32" | "float64" = "float64",
  ): Promise<Gradients> =>
    gradientOf(neuralOde({ field, method, stepSize: 0.002, dtype }), {
      runtime,
      loss: mse(),
      gradient: how,
      fit,
      parameters,
    });
  const all = ({ parameters, y0 }: Gradients): Tensors => ({ ...parameters, y0 });

  for (const [situation, options] of Object.entries(situations)) {
    it(`agree on ${situation}: reversible, direct and by differences`, async () => {
      const task = randomTask({ field, stepSize: 0.002, ...options });
      expect(task.fit.grid.times.length).to.be.closeTo(1001, 5);
      const method = reversible(midpoint);
      const back = await gradient(method, "reversible", task);
      const direct = await gradient(method, "direct", task);

      // 1000 steps at 1e-16 a rounding, which λ = 0.999 lets grow by up to 1 / 0.999^1000 = 2.7 on the way back
      expect(tensorsDistance(all(back), all(direct))).to.be.below(1e-10);
      expect(back.loss).to.be.closeTo(direct.loss, 1e-14 * direct.loss);
      expect(tensorDistance(back.reconstructed!, task.fit.y0)).to.be.below(1e-11);

      const directions = randomDirections(task, 3);
      const ode = neuralOde({ field, method, stepSize: 0.002 });
      const differences = await directionalDerivatives(ode, { runtime, loss: mse() }, task, directions);
      for (const [i, difference] of differences.entries()) {
        for (const found of [back, direct]) {
          expect(along(found, directions[i]!) / difference).to.be.closeTo(1, 1e-9);
        }
      }
    });
  }

  for (const tableau of tableaux) {
    it(`agree for ${tableau.name}, plain and coupled at λ = 0.99, with differences`, async () => {
      const task = randomTask({ field, stepSize: 0.05, saves: [0.3, 1], batch: 2 });
      const directions = randomDirections(task, 2);
      for (const [method, how] of [
        [explicit(tableau), "direct"],
        [reversible(tableau, { coupling: 0.99 }), "direct"],
        [reversible(tableau, { coupling: 0.99 }), "reversible"],
      ] as const) {
        const found = await gradient(method, how, task);
        const ode = neuralOde({ field, method, stepSize: 0.05 });
        const differences = await directionalDerivatives(ode, { runtime, loss: mse() }, task, directions);
        for (const [i, difference] of differences.entries()) {
          expect(along(found, directions[i]!) / difference).to.be.closeTo(1, 1e-9);
        }
      }
    });
  }

  it("of λ = 1, where nothing damps, agree too", async () => {
    const task = randomTask({ field, stepSize: 0.002, saves: [2] });
    const method = reversible(rk4, { coupling: 1 });
    const [back, direct] = [
      await gradient(method, "reversible", task),
      await gradient(method, "direct", task),
    ];
    expect(tensorsDistance(all(back), all(direct))).to.be.below(1e-10);
  });

  it("in float32 are those of float64 but for rounding", async () => {
    const options = { field, stepSize: 0.002, saves: [0.5, 2], batch: 3 };
    const exact = await gradient(reversible(midpoint), "direct", randomTask(options));
    for (const how of ["reversible", "direct"] as const) {
      const task = randomTask({ ...options, dtype: "float32" });
      const single = await gradient(reversible(midpoint), how, task, "float32");
      expect(single.y0.dtype).to.equal("float32");
      // 1000 steps at 6e-8 a rounding
      expect(tensorsDistance(all(single), all(exact))).to.be.below(2e-5);
    }
  });

  describe("over 10 000 steps of RK4 in float32, λ = 0.999", () => {
    const options = { field, stepSize: 0.001, saves: [10] };

    async function errors(method: ReversibleMethod): Promise<{ gradient: number; y0: number }> {
      const ode = (dtype: "float32" | "float64") =>
        neuralOde({ field, method: dtype === "float64" ? reversible(rk4) : method, stepSize: 0.001, dtype });
      const [exact, single] = await Promise.all(
        (["float64", "float32"] as const).map((dtype) => {
          const { fit, parameters } = randomTask({ ...options, dtype });
          const how = dtype === "float64" ? "direct" : "reversible";
          // as it is, without stored states: it is the rounding of undoing that is looked at
          return gradientOf(ode(dtype), {
            ...{ runtime, loss: mse(), gradient: how, fit, parameters, guarded: false },
          });
        }),
      );
      const { y0 } = randomTask({ ...options, dtype: "float32" }).fit;
      return {
        gradient: tensorsDistance(all(single!), all(exact!)),
        y0: tensorDistance(single!.reconstructed!, y0),
      };
    }

    it("the gradient stays within 1e-4 of that of float64", async () => {
      const { gradient, y0 } = await errors(reversible(rk4));
      expect(gradient).to.be.below(1e-4);
      // hardly more than one rounding: most steps are undone to the bit
      expect(y0).to.be.below(1e-5);
    });

    it("and would not, were it undone as (y1 − z0) − Ψ", async () => {
      const coupled = reversible(rk4);
      const psi = (system: System, h: Value, t: Value, y: Value) => increment(system, rk4, h, t, y);
      const otherwise: ReversibleMethod = {
        ...coupled,
        undo(system, { t0, t1, h }, [y1, z1]) {
          const { b } = system;
          const z0 = add(b, z1!, psi(system, mul(b, h, -1), t1, y1));
          const difference = sub(b, sub(b, y1, z0), psi(system, h, t0, z0));
          return [add(b, z0, div(b, difference, 0.999)), z0];
        },
      };
      const { gradient, y0 } = await errors(otherwise);
      expect(gradient).to.be.above(1e-4);
      expect(y0).to.be.above(1e-3);
    });

    it("nor were the step associated as λ y0 + (1 − λ) z0 + Ψ", async () => {
      const coupled = reversible(rk4);
      const psi = (system: System, h: Value, t: Value, y: Value) => increment(system, rk4, h, t, y);
      const otherwise: ReversibleMethod = {
        ...coupled,
        step(system, { t0, t1, h }, [y0, z0]) {
          const { b } = system;
          const mixed = add(b, mul(b, y0, 0.999), mul(b, z0!, 1 - 0.999));
          const y1 = add(b, mixed, psi(system, h, t0, z0!));
          const z1 = sub(b, z0!, psi(system, mul(b, h, -1), t1, y1));
          return [y1, z1];
        },
      };
      const { gradient } = await errors(otherwise);
      expect(gradient).to.be.above(1e-3);
    });
  });

  it("say what they cost", async () => {
    const task = randomTask({ field, stepSize: 0.1, saves: [1] });
    const { cost } = await gradient(reversible(midpoint), "reversible", task);
    // two evaluations per half step, two half steps, forward and backward
    expect(cost).to.include({ steps: 10, evaluations: 80, storedStates: 1 });
    const direct = await gradient(explicit(euler), "direct", task);
    expect(direct.cost).to.include({ steps: 10, evaluations: 20, storedStates: 11 });
    expect(direct.reconstructed).to.equal(null);
  });

  it("of a method that cannot be undone are refused by reconstruction, with a remedy", async () => {
    const task = randomTask({ field, stepSize: 0.1, saves: [1] });
    const { message } = await failure(gradient(explicit(rk4), "reversible", task), GradientMethodError);
    expect(message).to.contain('"rk4"').and.contain("reversible(rk4)").and.contain('"direct"');
  });

  it("of a loss at t0 alone are its derivative there", async () => {
    const { fit, parameters } = randomTask({ field, stepSize: 0.1, saves: [0] });
    const task = { parameters, fit: { ...fit, grid: gridThrough(0, [0], 0.1) } };
    for (const how of ["reversible", "direct"] as const) {
      const found = await gradient(reversible(midpoint), how, task);
      const [y0, target] = [numbers(fit.y0), numbers(fit.target)];
      // d/dy of the mean of three squares
      const expected = y0.map((value, i) => (2 * (value - target[i]!)) / 3);
      expect(distance(numbers(found.y0), expected)).to.be.below(1e-15);
      for (const value of Object.values(found.parameters)) expect(numbers(value)).to.satisfy(allZero);
    }
  });
});

const allZero = (values: number[]) => values.every((value) => value === 0);
