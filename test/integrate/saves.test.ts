import { expect } from "chai";
import fc from "fast-check";
import { constantStep, givenTimes, pid } from "../../src/control/control.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { bosh3, cashKarp, dopri5, midpoint, rk4, tsit5 } from "../../src/methods/tableaux.js";
import { TimeError } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import { spinning, spinningAt } from "./fields.js";

const y0 = tensor("float64", [1, 2], [0, 1]);

describe("what a solve saves", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  it("can lie inside of steps, which then do not change", async () => {
    const saveAt = [0, 0.1, 0.11, 0.7, 1.3, 2];
    for (const method of [explicit(dopri5), explicit(cashKarp), reversible(tsit5), reversible(bosh3)]) {
      const request = { runtime, y0, t0: 0, control: pid({ rtol: 1e-8, atol: 1e-8 }) };
      const ode = neuralOde({ field: spinning, method });
      const free = await solve(ode, { ...request, t1: 2 });
      const { ts, ys, grid, placement, stats } = await solve(ode, {
        ...request,
        saveAt,
        save: "interpolated",
      });
      expect(ts).to.deep.equal(saveAt);
      expect(grid.times, method.name).to.deep.equal(free.grid.times);
      expect(stats.accepted).to.equal(free.stats.accepted);
      // interpolation of order 4 in steps for an error of 1e-8 at order 5 or 3
      expect(distance(numbers(ys), saveAt.flatMap(spinningAt)), method.name).to.be.below(1e-5);
      for (const [i, { step, theta }] of placement!.entries()) {
        const at = grid.times[step]! + theta * (grid.times[step + 1]! - grid.times[step]!);
        expect(at).to.be.closeTo(saveAt[i]!, 1e-14);
      }
    }
  });

  it("can be thousands of times, which small states pass many to a run and large ones one by one", async () => {
    const saveAt = Array.from({ length: 2500 }, (_, i) => (i + 1) * 0.001);
    const ode = neuralOde({ field: spinning, method: tsit5 });
    const compiled = jit();
    let runs = 0;
    const counting: Runtime = {
      ...compiled,
      async compile(graph) {
        const executable = await compiled.compile(graph);
        return {
          ...executable,
          run(inputs) {
            runs++;
            return executable.run(inputs);
          },
        };
      },
    };
    for (const [batch, expected] of [
      [1, 3],
      [300, 2500],
    ] as const) {
      runs = 0;
      const { ts, ys, grid } = await solve(ode, {
        ...{ runtime: counting, t0: 0, saveAt, control: pid({ rtol: 1e-9, atol: 1e-9 }) },
        y0: tensor("float64", [batch, 2], new Array(batch).fill([0, 1]).flat()),
      });
      expect(runs).to.equal(expected);
      expect(ts).to.deep.equal(saveAt);
      expect(grid.offsets.slice(1).map((offset) => grid.times[offset])).to.deep.equal(saveAt);
      const all = numbers(ys);
      const last = saveAt.flatMap((_, i) => all.slice(2 * batch * (i + 1) - 2, 2 * batch * (i + 1)));
      // 2500 steps of 0.001 at order 5: rounding
      expect(distance(last, saveAt.flatMap(spinningAt))).to.be.below(1e-11);
    }
  });

  it("is a solution of third order or more between steps of any method", async () => {
    for (const method of [explicit(rk4), explicit(dopri5), reversible(rk4), reversible(dopri5)]) {
      const errorWith = async (h: number) => {
        const ode = neuralOde({ field: spinning, method });
        const saveAt = Array.from({ length: 40 }, (_, i) => 0.013 + i * 0.025);
        const { ys } = await solve(ode, {
          ...{ runtime, y0, t0: 0, saveAt: [...saveAt, 1.2], save: "interpolated", control: constantStep(h) },
        });
        return distance(numbers(ys), [...saveAt, 1.2].flatMap(spinningAt));
      };
      expect(Math.log2((await errorWith(0.1)) / (await errorWith(0.05))), method.name).to.be.above(3);
    }
  });

  it("can be every step, or every n-th and the last", async () => {
    const ode = neuralOde({ field: spinning, method: tsit5 });
    const request = { runtime, y0, t0: 0, t1: 2, control: pid({ rtol: 1e-6, atol: 1e-6 }) };
    const all = await solve(ode, { ...request, save: "every-step" });
    expect(all.ts).to.deep.equal(all.grid.times);
    expect(all.ys.shape).to.deep.equal([all.stats.accepted + 1, 1, 2]);
    expect(distance(numbers(all.ys), all.ts.flatMap(spinningAt))).to.be.below(1e-4);
    const third = await solve(ode, { ...request, save: { every: 3 } });
    const wanted = all.grid.times.filter((_, i) => i % 3 === 0 || i === all.stats.accepted);
    expect(third.ts).to.deep.equal(wanted);
    expect(third.grid.offsets.slice(1).map((offset) => third.grid.times[offset])).to.deep.equal(wanted);
    await failure(solve(ode, { ...request, save: { every: 0 } }), TimeError);
  });

  it("can be everything: a solution to be evaluated at any time", async () => {
    const ode = neuralOde({ field: spinning, method: tsit5 });
    for (const [t0, t1] of [
      [0, 2],
      [2, 0.5],
    ] as const) {
      const start = tensor("float64", [1, 2], spinningAt(t0));
      const control = pid({ rtol: 1e-9, atol: 1e-9 });
      const { dense, grid } = await solve(ode, { runtime, y0: start, t0, t1, control, save: "dense" });
      fc.assert(
        fc.property(fc.double({ min: Math.min(t0, t1), max: Math.max(t0, t1), noNaN: true }), (t) => {
          expect(distance(numbers(dense!.at(t)), spinningAt(t))).to.be.below(1e-6);
        }),
        { seed: 1 },
      );
      for (const t of grid.times) expect(distance(numbers(dense!.at(t)), spinningAt(t))).to.be.below(1e-7);
      expect(() => dense!.at(2.1)).to.throw(TimeError, "2.1");
    }
  });

  it("comes from the same states whatever is saved, with given times as with steps of one size", async () => {
    const times = [0, 0.1, 0.4, 0.45, 1];
    const ode = neuralOde({ field: spinning, method: reversible(midpoint) });
    for (const control of [givenTimes(times), constantStep(0.05)]) {
      const request = { runtime, y0, t0: 0, control };
      const hit = await solve(ode, { ...request, saveAt: times.slice(1) });
      const every = await solve(ode, { ...request, t1: 1, save: "every-step" });
      const last = numbers(every.ys).slice(-2);
      expect(distance(last, numbers(hit.ys).slice(-2))).to.be.below(1e-13);
      if (control.kind === "times") expect(every.ts).to.deep.equal(times);
    }
  });

  it("has times in float32 rounded, and returned as they were given", async () => {
    const saveAt = [0.1, 0.7, 1.1];
    const ode = neuralOde({ field: spinning, method: tsit5, dtype: "float32" });
    for (const save of ["hit", "interpolated", "dense"] as const) {
      const control = pid({ rtol: 1e-5, atol: 1e-5 });
      const { ts, ys, grid } = await solve(ode, { runtime, y0, t0: 0, saveAt, save, control });
      expect(ts).to.deep.equal(saveAt);
      expect(ys.dtype).to.equal("float32");
      expect(grid.times.map(Math.fround)).to.deep.equal(grid.times);
      // tolerance, and what the problem makes of it
      expect(distance(numbers(ys), saveAt.flatMap(spinningAt))).to.be.below(1e-3);
    }
  });
});
