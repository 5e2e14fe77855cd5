import { expect } from "chai";
import { ControlError, constantStep, controllers, givenTimes, pid } from "../../src/control/control.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { EventError } from "../../src/events/event.js";
import type { VectorField } from "../../src/fields/field.js";
import type { Value } from "../../src/graph/graph.js";
import {
  DivergenceError,
  DriftError,
  MaxStepsError,
  NonFiniteFieldError,
  SolveAbortedError,
  StepUnderflowError,
} from "../../src/integrate/failures.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { type SolveOptions, solve } from "../../src/integrate/solve.js";
import { explicit } from "../../src/methods/explicit.js";
import { methodNamed } from "../../src/methods/named.js";
import { reversible } from "../../src/methods/reversible.js";
import { reversibleHeun } from "../../src/methods/reversible-heun.js";
import { bosh3, dopri5, rk4, tableaux, tsit5 } from "../../src/methods/tableaux.js";
import { neg } from "../../src/ops/arithmetic.js";
import { concat, split } from "../../src/ops/slicing.js";
import { TimeError } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import { squaring } from "../support/fields.js";
import { decay, ending, kink, spinning, spinningAt, swelling } from "./fields.js";

const pair = (values: readonly number[]) => tensor("float64", [1, values.length], values);

describe("adaptive solves", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  it("meet the tolerance, and their error goes down with it", async () => {
    for (const tableau of [bosh3, dopri5, tsit5]) {
      const errors: number[] = [];
      for (const tolerance of [1e-4, 1e-7, 1e-10]) {
        const { ys } = await solve(neuralOde({ field: spinning, method: tableau }), {
          ...{ runtime, y0: pair([0, 1]), t0: 0, t1: 2 },
          control: pid({ rtol: tolerance, atol: tolerance }),
        });
        errors.push(distance(numbers(ys), spinningAt(2)));
        // local errors add up over some tens of steps, and errors of the radius turn into larger ones of the phase
        expect(errors.at(-1), `${tableau.name} at ${tolerance}`).to.be.below(100 * tolerance);
      }
      expect(errors[1]).to.be.below(errors[0]!);
      expect(errors[2]).to.be.below(errors[1]!);
    }
  });

  it("hold a component that stays exactly 0 against a tolerance of 0, which costs nothing", async () => {
    for (const runtime of [jit(), await ortNode()]) {
      for (const dtype of ["float64", "float32"] as const) {
        const ode = neuralOde({ field: { ...decay, state: ["batch", 2] }, method: dopri5, dtype });
        const [rtol, t1] = [dtype === "float64" ? 1e-9 : 1e-5, 1];
        for (const dt0 of [null, 0.01]) {
          const request = { runtime, y0: tensor(dtype, [1, 2], [1, 0]), t0: 0, t1 };
          const held = await solve(ode, { ...request, control: pid({ rtol, atol: 0, dt0 }) });
          const [y, zero] = numbers(held.ys);
          // the tolerance, over some tens of steps
          expect([Math.abs(y! * Math.E - 1) < 20 * rtol, zero]).to.deep.equal([true, 0]);
          expect(held.stats.rejected).to.equal(0);
        }
      }
    }
  });

  it("start from 0 with a tolerance of 0: y' = (−y₁, y₁)", async () => {
    const filling: VectorField = {
      ...decay,
      state: ["batch", 2],
      apply(b, _theta, _t, y) {
        const [first] = split(b, y, 1, [1, 1]) as [Value, Value];
        return concat(b, [neg(b, first), first], 1);
      },
    };
    const { ys, stats } = await solve(neuralOde({ field: filling, method: dopri5 }), {
      ...{ runtime, y0: pair([1, 0]), t0: 0, t1: 1, control: pid({ rtol: 1e-8, atol: 0 }) },
    });
    expect(distance(numbers(ys), [Math.exp(-1), 1 - Math.exp(-1)])).to.be.below(1e-7);
    expect(stats.steps).to.be.below(60);
  });

  it("are as long as their error allows, whatever the step size of the equation", async () => {
    const request = { runtime, y0: pair([1]), t0: 0, t1: 2, control: pid({ rtol: 1e-3, atol: 1e-6 }) };
    const free = await solve(neuralOde({ field: decay, method: dopri5 }), request);
    const small = await solve(neuralOde({ field: decay, method: dopri5, stepSize: 0.002 }), request);
    expect(small.grid).to.deep.equal(free.grid);
    expect(free.stats.accepted).to.be.below(10);
    const bounded = await solve(neuralOde({ field: decay, method: dopri5 }), {
      ...request,
      control: pid({ rtol: 1e-3, atol: 1e-6, dtmax: 0.1 }),
    });
    expect(bounded.stats.accepted).to.equal(20);
  });

  it("take far fewer steps at a higher order", async () => {
    const stepsBy = async (method: typeof bosh3 | typeof dopri5) => {
      const { stats } = await solve(neuralOde({ field: spinning, method }), {
        ...{ runtime, y0: pair([0, 1]), t0: 0, t1: 2, control: pid({ rtol: 1e-9, atol: 1e-9 }) },
      });
      expect(stats.steps).to.equal(stats.accepted + stats.rejected);
      return stats.accepted;
    };
    expect(await stepsBy(dopri5)).to.be.below((await stepsBy(bosh3)) / 4);
  });

  it("land on every save time exactly, and return the steps as a grid", async () => {
    const saveAt = [0, 0.1, 0.5, 0.500001, 2];
    const { ts, ys, grid, stats } = await solve(neuralOde({ field: spinning, method: dopri5 }), {
      ...{ runtime, y0: pair([0, 1]), t0: 0, saveAt, control: pid({ rtol: 1e-8, atol: 1e-8 }) },
    });
    expect(ts).to.deep.equal(saveAt);
    expect(grid.offsets.map((offset) => grid.times[offset])).to.deep.equal([0, ...saveAt]);
    expect(grid.times.length - 1).to.equal(stats.accepted);
    expect(distance(numbers(ys), saveAt.flatMap(spinningAt))).to.be.below(1e-7);
  });

  it("are repeated to the last bit by fixed steps on their grid", async () => {
    const ode = neuralOde({ field: spinning, method: reversible(bosh3) });
    const request = { runtime, y0: pair([0, 1]), t0: 0, saveAt: [0.3, 1, 1.2] };
    const chosen = await solve(ode, { ...request, control: pid({ rtol: 1e-5, atol: 1e-5 }) });
    const repeated = await solve(ode, { ...request, control: givenTimes(chosen.grid.times) });
    expect(repeated.grid).to.deep.equal(chosen.grid);
    // the same operations in the same order; ONNX Runtime may fuse them differently in another graph
    expect(distance(numbers(repeated.ys), numbers(chosen.ys))).to.be.below(1e-14);
  });

  it("do not lose the step size to a save time", async () => {
    const request = {
      runtime,
      y0: pair([0, 1]),
      t0: 0,
      control: pid({ rtol: 1e-6, atol: 1e-6, ...controllers.pi }),
    };
    const ode = neuralOde({ field: spinning, method: tsit5 });
    const free = await solve(ode, { ...request, saveAt: [2] });
    const interrupted = await solve(ode, { ...request, saveAt: [0.5, 1, 1.5, 2] });
    // each save cuts one step in two
    expect(interrupted.stats.accepted).to.be.at.most(free.stats.accepted + 3 + 1);
  });

  it("go backwards in time", async () => {
    const y2 = spinningAt(2);
    for (const method of [explicit(dopri5), reversible(dopri5)]) {
      const { ys, grid } = await solve(neuralOde({ field: spinning, method }), {
        ...{ runtime, y0: pair(y2), t0: 2, saveAt: [1, 0], control: pid({ rtol: 1e-9, atol: 1e-9 }) },
      });
      expect(distance(numbers(ys), [...spinningAt(1), 0, 1])).to.be.below(1e-7);
      expect([...grid.times]).to.deep.equal([...grid.times].sort((s, t) => t - s));
    }
  });

  it("work with each controller and with every method that has an error estimate", async () => {
    for (const method of [
      ...tableaux.map(explicit),
      methodNamed("alf"),
      methodNamed("leapfrog-midpoint"),
      reversibleHeun(),
      methodNamed("ees25"),
      methodNamed("ees27"),
      methodNamed("lawson:bosh3:-0.5"),
    ]) {
      if (method.error === undefined) continue;
      for (const [name, coefficients] of Object.entries(controllers)) {
        const { ys } = await solve(neuralOde({ field: swelling, method }), {
          ...{
            runtime,
            y0: pair([1]),
            t0: 0,
            t1: 3,
            control: pid({ rtol: 1e-5, atol: 1e-5, ...coefficients }),
          },
        });
        // low orders take hundreds of steps, whose errors add up
        expect(Math.abs(numbers(ys)[0]! - Math.exp(Math.sin(3))), `${method.name}, ${name}`).to.be.below(
          1e-3,
        );
      }
    }
  });

  it("count the evaluations that they make", async () => {
    // dopri5: one at the start, two for the first step size, six per attempt since the seventh is the next one's first
    const { stats } = await solve(neuralOde({ field: spinning, method: dopri5 }), {
      ...{ runtime, y0: pair([0, 1]), t0: 0, t1: 2, control: pid() },
    });
    expect(stats.evaluations).to.equal(2 + 6 * stats.steps);
  });

  it("refuse a control that makes no sense, or that the method cannot follow", async () => {
    expect(() => pid({ rtol: -1 })).to.throw(ControlError, "rtol -1");
    expect(() => pid({ rtol: 0, atol: 0 })).to.throw(ControlError);
    expect(() => pid({ dtmin: 2, dtmax: 1 })).to.throw(ControlError, "dtmin 2");
    expect(() => pid({ factorMin: 1.5 })).to.throw(ControlError);
    expect(() => pid({ dtmin: Number.POSITIVE_INFINITY })).to.throw(ControlError, "dtmin Infinity");
    expect(() => pid({ dt0: 1, dtmax: 0.5 })).to.throw(ControlError, "dt0 1, dtmin 0, dtmax 0.5");
    expect(() => pid({ dt0: 0.1, dtmin: 0.5 })).to.throw(ControlError, "dtmin ≤ dt0");
    for (const name of ["rtol", "atol", "safety", "factorMin", "factorMax", "dt0", "dtmin", "dtmax", "p"]) {
      expect(() => pid({ [name]: Number.NaN }), name).to.throw(ControlError, "NaN");
    }
    expect(() => constantStep(0)).to.throw(ControlError);
    const request = { runtime, y0: pair([0, 1]), t0: 0, t1: 1 };
    const error = await failure(
      solve(neuralOde({ field: spinning, method: rk4 }), { ...request, control: pid() }),
      ControlError,
    );
    expect(error.message).to.include("rk4").and.include("error estimate");
    await failure(solve(neuralOde({ field: spinning, method: rk4 }), request), TimeError);
    const ode = neuralOde({ field: spinning, method: dopri5 });
    const wrong = (more: Partial<SolveOptions>) => solve(ode, { ...request, control: pid(), ...more });
    for (const maxSteps of [0, -1, 1.5, Number.NaN]) {
      expect((await failure(wrong({ maxSteps }), TimeError)).message).to.include(`but ${maxSteps} was given`);
    }
    await failure(wrong({ jumps: [0.5, Number.NaN] }), TimeError);
    for (const eventTolerance of [-1, Number.NaN]) await failure(wrong({ eventTolerance }), EventError);
    for (const times of [
      [0.2, 3],
      [0.5, 0.2],
      [0.1, Number.NaN],
    ]) {
      for (const save of ["hit", "interpolated"] as const) {
        await failure(wrong({ control: givenTimes(times), save }), TimeError);
      }
    }
  });

  it("hit the times at which the field jumps from both sides", async () => {
    const request = {
      runtime,
      y0: pair([0]),
      t0: 0,
      saveAt: [3],
      control: pid({ rtol: 1e-10, atol: 1e-10 }),
    };
    const ode = neuralOde({ field: kink, method: dopri5 });
    const told = await solve(ode, { ...request, jumps: [1] });
    const untold = await solve(ode, request);
    expect(Math.abs(numbers(told.ys)[0]! - 1)).to.be.below(1e-14);
    expect(told.stats.rejected).to.equal(0);
    expect(untold.stats.rejected).to.be.above(5);
    expect(told.grid.times.some((t) => t < 1 && t > 1 - 1e-15)).to.equal(true);
  });

  it("say how they failed, where, and after how many steps", async () => {
    const method = dopri5;
    // y = 1 / (1 − t)
    const request = { runtime, y0: pair([1]), t0: 0, parameters: { a: tensor("float64", [], [1]) } };
    const singular = await failure(
      solve(neuralOde({ field: squaring, method }), { ...request, t1: 2, control: pid() }),
      StepUnderflowError,
    );
    expect(singular.time).to.be.closeTo(1, 1e-6);
    expect(singular.step).to.equal(singular.accepted + 1);
    expect(singular.rejected).to.be.above(0);
    expect(singular.yNorm).to.be.above(1e6);
    expect(singular.message).to.include("singular").and.include("rtol");

    const endless = await failure(
      solve(neuralOde({ field: squaring, method }), { ...request, t1: 0.9, control: pid(), maxSteps: 3 }),
      MaxStepsError,
    );
    expect([endless.accepted + endless.rejected, endless.message.includes("maxSteps")]).to.deep.equal([
      3,
      true,
    ]);

    const fixed = await failure(
      solve(neuralOde({ field: squaring, method }), {
        ...request,
        t1: 2,
        control: constantStep(0.3),
        save: "every-step",
      }),
      DivergenceError,
    );
    expect([fixed.stepSize, fixed.time > 0.9]).to.deep.equal([0.3, true]);

    const outside = await failure(
      solve(neuralOde({ field: ending, method }), { runtime, y0: pair([1]), t0: 0, t1: 2, control: pid() }),
      NonFiniteFieldError,
    );
    expect(outside.time).to.be.closeTo(4 / 3, 1e-6);

    const coarse = await failure(
      solve(neuralOde({ field: squaring, method }), { ...request, t1: 2, control: pid({ dtmin: 0.01 }) }),
      StepUnderflowError,
    );
    expect(coarse.message).to.include("0.01");
  });

  it("starts with Hairer's step size", async () => {
    // spinning at t = 1 from (0.6, 0.8): f = 2 (0.8, −0.6), and one small step of Euler's further
    const [rtol, atol, t0, k] = [1e-6, 1e-8, 1, 5];
    const y = [0.6, 0.8] as const;
    const f = (t: number, [u, v]: readonly [number, number]) =>
      [2 * t * v * (u * u + v * v), -2 * t * u * (u * u + v * v)] as const;
    const norm = (x: readonly number[]) =>
      Math.hypot(...x.map((value, i) => value / (atol + rtol * y[i]!))) / Math.sqrt(2);
    const f0 = f(t0, y);
    const h0 = (0.01 * norm(y)) / norm(f0);
    const f1 = f(t0 + h0, [y[0] + h0 * f0[0], y[1] + h0 * f0[1]]);
    const d2 = norm([f1[0] - f0[0], f1[1] - f0[1]]) / h0;
    const expected = Math.min(100 * h0, (0.01 / Math.max(norm(f0), d2)) ** (1 / k));
    for (const direction of [1, -1]) {
      const { grid } = await solve(neuralOde({ field: spinning, method: dopri5 }), {
        ...{ runtime, y0: pair(y), t0, t1: t0 + direction, control: pid({ rtol, atol }) },
      });
      if (direction === 1) expect(grid.times[1]! - t0).to.be.closeTo(expected, 1e-12);
      else expect(t0 - grid.times[1]!).to.be.within(expected / 3, expected * 3);
    }
    const given = await solve(neuralOde({ field: spinning, method: dopri5 }), {
      ...{ runtime, y0: pair(y), t0, t1: 2, control: pid({ rtol, atol, dt0: 1e-3, dtmax: 0.01 }) },
    });
    const steps = given.grid.times.slice(1).map((t, i) => t - given.grid.times[i]!);
    expect(steps[0]).to.be.closeTo(1e-3, 1e-15);
    expect(Math.max(...steps)).to.be.below(0.0102);
  });

  it("stops when told to while it is under way", async () => {
    const abort = new AbortController();
    const running = solve(neuralOde({ field: decay, method: reversible(bosh3) }), {
      ...{ runtime, y0: pair([1]), t0: 0, t1: 1000, control: pid({ rtol: 1e-6, atol: 1e-6 }), maxSteps: 1e7 },
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(), 50);
    const error = await failure(running, SolveAbortedError);
    expect(error.message).to.match(/at t = \d.* of 1000/);
  });

  it("can be aborted between runs", async () => {
    const abort = new AbortController();
    abort.abort(new Error("enough"));
    const error = await failure(
      solve(neuralOde({ field: spinning, method: dopri5 }), {
        ...{ runtime, y0: pair([0, 1]), t0: 0, t1: 2, control: pid(), signal: abort.signal },
      }),
      SolveAbortedError,
    );
    expect((error.cause as Error).message).to.equal("enough");
  });

  describe("of coupled methods on y' = −y up to T = 20, where the error estimate sees nothing", () => {
    const solved = (coupling: number, tolerance: number, driftTolerance?: number, strict = false) =>
      solve(neuralOde({ field: decay, method: reversible(bosh3, { coupling }) }), {
        ...{ runtime, y0: pair([1]), t0: 0, t1: 20, strict, checkReconstruction: true },
        control: pid({ rtol: tolerance, atol: tolerance, ...(driftTolerance && { driftTolerance }) }),
      });

    for (const [coupling, tolerance] of [
      [0.999, 1e-3],
      [0.999, 1e-8],
      [0.9, 1e-3],
      [0.9, 1e-8],
    ] as const) {
      it(`are right with λ = ${coupling} at rtol ${tolerance}, since drift counts as error`, async () => {
        const { ys, stats, warnings } = await solved(coupling, tolerance);
        expect(Math.abs(numbers(ys)[0]! - Math.exp(-20))).to.be.below(tolerance);
        expect(warnings.filter(({ code }) => code === "drift")).to.deep.equal([]);
        expect(stats.drift).to.be.below(30 * tolerance);
        // |a h| ≤ −ln λ: 20 / −ln λ steps at least
        expect(stats.accepted).to.be.above(0.9 * (20 / -Math.log(coupling)));
      }).timeout(30_000);

      it(`are wrong with λ = ${coupling} at rtol ${tolerance} if it is not looked at, and say so`, async () => {
        const { ys, warnings } = await solved(coupling, tolerance, Number.POSITIVE_INFINITY);
        expect(Math.abs(numbers(ys)[0]!)).to.be.above(100 * tolerance);
        expect(warnings[0]!.code).to.equal("drift");
        expect(warnings[0]!.message).to.include("λ").and.include("smaller");
        const refused = await failure(
          solved(coupling, tolerance, Number.POSITIVE_INFINITY, true),
          DriftError,
        );
        expect(refused.time).to.equal(20);
      });
    }

    it("part in float32 where they are to be closer than rounding lets them, and say so", async () => {
      const ask = (tolerance: number) =>
        solve(neuralOde({ field: decay, method: reversible(bosh3), dtype: "float32" }), {
          ...{ runtime, y0: tensor("float32", [1, 1], [1]), t0: 0, t1: 5 },
          control: pid({ rtol: tolerance, atol: tolerance }),
        });
      const error = await failure(ask(1e-6), DriftError);
      expect(error.message).to.include("below the rounding of float32").and.include("loosen");
      const { ys } = await ask(1e-4);
      expect(numbers(ys)[0]!).to.be.closeTo(Math.exp(-5), 1e-3);
    });

    it("cannot go on with a method that does not damp, and say so", async () => {
      const error = await failure(
        solve(neuralOde({ field: decay, method: reversibleHeun() }), {
          ...{
            runtime,
            y0: pair([1]),
            t0: 0,
            t1: 20,
            control: pid({ rtol: 1e-6, atol: 1e-6 }),
            maxSteps: 2000,
          },
        }),
        MaxStepsError,
      );
      expect(error.message).to.include("does not damp");
    });
  });
});
