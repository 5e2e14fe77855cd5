import { expect } from "chai";
import { constantStep, pid } from "../../src/control/control.js";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { MaxStepsError, StepUnderflowError } from "../../src/integrate/failures.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve, solveEach } from "../../src/integrate/solve.js";
import { explicit } from "../../src/methods/explicit.js";
import { methodNamed } from "../../src/methods/named.js";
import { reversible } from "../../src/methods/reversible.js";
import { bosh3, dopri5, tsit5 } from "../../src/methods/tableaux.js";
import { TimeError } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import { squaring } from "../support/fields.js";
import { spinning, spinningAt } from "./fields.js";

// radius 1 turns at one speed, radius 3 at nine times that
const starts = [0, 1, 0, 3, 0.5, 0.5, 0, 0.01];
const y0 = tensor("float64", [4, 2], starts);
const alone = (i: number) => tensor("float64", [1, 2], starts.slice(2 * i, 2 * i + 2));

describe("a batch whose trajectories choose their own steps", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  it("comes out as each of them alone, step by step", async () => {
    for (const method of [
      explicit(dopri5),
      explicit(bosh3),
      reversible(tsit5, { coupling: 0.99 }),
      methodNamed("alf"),
    ]) {
      const ode = neuralOde({ field: spinning, method });
      const control = pid({ rtol: 1e-5, atol: 1e-6 });
      const request = { runtime, t0: 0, saveAt: [0.2, 1], control, checkReconstruction: true };
      const together = await solveEach(ode, { ...request, y0 });
      for (const [i, { ts, ys, grid, stats }] of together.entries()) {
        const solo = await solve(ode, { ...request, y0: alone(i) });
        expect(ts).to.deep.equal(solo.ts);
        expect(ys.shape).to.deep.equal([2, 1, 2]);
        expect(grid.offsets, method.name).to.deep.equal(solo.grid.offsets);
        expect(stats.rejected).to.equal(solo.stats.rejected);
        expect(stats.evaluations).to.equal(solo.stats.evaluations);
        if (solo.stats.reconstructionError === null) expect(stats.reconstructionError).to.equal(null);
        else expect(stats.reconstructionError).to.be.below(10 * solo.stats.reconstructionError + 1e-12);
        // rounding alone: norms are summed in another order
        expect(distance(grid.times, solo.grid.times)).to.be.below(1e-10);
        expect(distance(numbers(ys), numbers(solo.ys))).to.be.below(1e-10);
      }
      const steps = together.map(({ stats }) => stats.accepted);
      expect(steps[1], "a faster one takes more steps").to.be.above(2 * steps[3]!);
    }
  });

  it("can start, stop and be saved at different times", async () => {
    const control = pid({ rtol: 1e-8, atol: 1e-8 });
    const ode = neuralOde({ field: spinning, method: dopri5 });
    const y0s = tensor("float64", [3, 2], [0, 1, ...spinningAt(1), ...spinningAt(2)]);
    const saveAt = [[0.5, 2], [1.5], [2, 1, 0]];
    for (const save of ["hit", "interpolated"] as const) {
      const each = await solveEach(ode, { runtime, y0: y0s, t0: [0, 1, 2], saveAt, save, control });
      for (const [i, { ts, ys }] of each.entries()) {
        expect(ts).to.deep.equal(saveAt[i]);
        expect(distance(numbers(ys), saveAt[i]!.flatMap(spinningAt)), save).to.be.below(1e-5);
      }
    }
    const every = await solveEach(ode, {
      runtime,
      y0: y0s,
      t0: [0, 1, 2],
      t1: [2, 2, 2],
      save: "every-step",
      control,
    });
    expect(every.map(({ ts }) => ts.at(-1))).to.deep.equal([2, 2, 2]);
    expect(every[2]!.stats.steps).to.equal(0);
    await failure(solveEach(ode, { runtime, y0: y0s, t0: [0, 1], t1: 3, control }), TimeError);
  });

  it("has dense solutions, steps of one size and float32, each as alone", async () => {
    const field = mlp({ dim: 2, hidden: [8], time: true });
    const parameters = initialParameters(field, Random.seeded(3), "float32");
    for (const control of [constantStep(0.1), pid({ rtol: 1e-4, atol: 1e-4 })]) {
      const ode = neuralOde({ field, method: reversible(bosh3), dtype: "float32" });
      const request = { runtime, parameters, t0: 0, t1: 1, control, save: "dense" as const };
      const together = await solveEach(ode, { ...request, y0 });
      for (const [i, { dense }] of together.entries()) {
        const solo = await solve(ode, { ...request, y0: alone(i) });
        // float32, over ten or so steps
        expect(distance(numbers(dense!.at(0.77)), numbers(solo.dense!.at(0.77)))).to.be.below(1e-5);
      }
    }
  });

  it("says which trajectory failed", async () => {
    const ode = neuralOde({ field: squaring, method: dopri5 });
    const request = {
      ...{
        runtime,
        y0: tensor("float64", [2, 1], [0.1, 1]),
        t0: 0,
        parameters: { a: tensor("float64", [], [1]) },
      },
    };
    const singular = await failure(solveEach(ode, { ...request, t1: 2, control: pid() }), StepUnderflowError);
    expect(singular.sample).to.equal(1);
    expect(singular.message).to.include("trajectory 1");
    expect(singular.time).to.be.closeTo(1, 1e-6);
    const long = await failure(
      solveEach(ode, { ...request, t1: 0.9, control: pid(), maxSteps: 4 }),
      MaxStepsError,
    );
    expect(long.sample).to.equal(1);
  });
});
