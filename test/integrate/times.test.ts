import { expect } from "chai";
import fc from "fast-check";
import { constantStep, givenTimes, pid } from "../../src/control/control.js";
import { type FloatDType, numbers, tensor } from "../../src/core/tensor.js";
import type { Event } from "../../src/events/event.js";
import type { VectorField } from "../../src/fields/field.js";
import { NonFiniteFieldError, StepUnderflowError } from "../../src/integrate/failures.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { type Solution, solve, solveEach } from "../../src/integrate/solve.js";
import { StrictError } from "../../src/integrate/warnings.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { bosh3, dopri5, rk4 } from "../../src/methods/tableaux.js";
import { add, div, mul, sub } from "../../src/ops/arithmetic.js";
import { greater, less, where } from "../../src/ops/logic.js";
import { cos } from "../../src/ops/trigonometry.js";
import { TimeError } from "../../src/programs/grid.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import { decay, kink, spinning } from "./fields.js";

const scalarField = (name: string, apply: VectorField["apply"]): VectorField => ({
  name,
  state: ["batch", 1],
  parameters: {},
  apply,
});

/** y' = cos t */
const cosine = scalarField("cosine", (b, _theta, t, y) => add(b, mul(b, y, 0), cos(b, t)));
/** y' = 50 (cos (t − t0) − y), as Prothero & Robinson have it. */
const following = (t0: number) =>
  scalarField("following", (b, _theta, t, y) => mul(b, sub(b, cos(b, sub(b, t, t0)), y), 50));
/** Its solution from y = 1 on, of τ = t − t0: (50 sin τ + 2500 cos τ + e^(−50 τ)) / 2501. */
const followed = (tau: number) => (50 * Math.sin(tau) + 2500 * Math.cos(tau) + Math.exp(-50 * tau)) / 2501;

const one = (dtype: FloatDType, ...values: number[]) => tensor(dtype, [values.length, 1], values);

describe("times", () => {
  const runtime = jit();
  const single = (field: VectorField, method = explicit(dopri5)) =>
    neuralOde({ field, method, dtype: "float32" });

  describe("that are asked for", () => {
    const saves = ["hit", "interpolated", "dense"] as const;
    const controls = {
      chosen: pid({ rtol: 1e-5, atol: 1e-5 }),
      "of one size": constantStep(0.0625),
    } as const;

    for (const dtype of ["float32", "float64"] as const) {
      it(`have a row each, in order, whatever falls together in ${dtype}`, async () => {
        const ode = neuralOde({ field: decay, method: dopri5, dtype });
        // differences that float32 has, has only near 0, and does not have; and none at all
        const gaps = fc.array(fc.constantFrom(0, 0, 1e-12, 1e-9, 1e-5, 0.01, 0.4), {
          minLength: 1,
          maxLength: 6,
        });
        await fc.assert(
          fc.asyncProperty(
            fc.constantFrom(0, 0.1, 1000, -1e6, 1e10),
            fc.constantFrom(1, -1),
            gaps,
            fc.constantFrom(...saves),
            fc.constantFrom(...(Object.keys(controls) as (keyof typeof controls)[])),
            fc.boolean(),
            async (t0, direction, lengths, save, how, each) => {
              let time = t0;
              const saveAt = lengths.map((gap) => {
                time += direction * gap;
                return time;
              });
              const request = { runtime, y0: one(dtype, 1, 2), t0, saveAt, save, control: controls[how] };
              const solutions = each ? await solveEach(ode, request) : [await solve(ode, request)];
              for (const [i, { ts, ys, grid, placement }] of solutions.entries()) {
                expect(ts).to.deep.equal(saveAt);
                const start = each ? [i + 1] : [1, 2];
                expect(ys.shape).to.deep.equal([saveAt.length, start.length, 1]);
                const exact = saveAt.flatMap((t) => start.map((y) => y * Math.exp(t0 - t)));
                // tolerance, and the fourth order of what lies in between
                expect(distance(numbers(ys), exact)).to.be.below(3e-4);
                const { times } = grid;
                if (placement === null) expect(grid.offsets.length).to.equal(saveAt.length + 1);
                else expect(placement.length).to.equal(saveAt.length);
                expect(times.slice(1).every((t, k) => (t - times[k]!) * direction > 0)).to.equal(true);
              }
            },
          ),
          { seed: 9, numRuns: 60 },
        );
      }).timeout(60_000);
    }

    it("are within a solution up to both its ends, in float32 as they were given", async () => {
      // 0.7 is above the number of float32 that stands for it, and −0.7 below
      for (const t1 of [0.7, 0.1, -0.7]) {
        const control = pid({ rtol: 1e-5, atol: 1e-5 });
        const request = { runtime, y0: one("float32", 1), t0: 0, t1, control, save: "dense" as const };
        const { dense } = await solve(single(decay), request);
        expect(numbers(dense!.at(t1))[0]).to.be.closeTo(Math.exp(-t1), 1e-4);
        expect(numbers(dense!.at(0))).to.deep.equal([1]);
        expect(() => dense!.at(1.001 * t1)).to.throw(TimeError);
      }
    });

    it("have a row each with given steps, and where y0 is all there is", async () => {
      const saveAt = [2, 2, 2.5, 2.5, 3];
      const ode = neuralOde({ field: decay, method: dopri5 });
      const request = { runtime, y0: one("float64", 1), t0: 2, control: givenTimes([2.25, 2.5, 2.75]) };
      for (const save of saves) {
        const { ts, ys } = await solve(ode, { ...request, saveAt, save });
        expect(ts).to.deep.equal(saveAt);
        expect(
          distance(
            numbers(ys),
            saveAt.map((t) => Math.exp(2 - t)),
          ),
        ).to.be.below(1e-5);
        for (const control of Object.values(controls)) {
          const still = await solve(ode, { ...request, control, saveAt: [2, 2], save });
          expect([still.ts, numbers(still.ys), still.stats.steps]).to.deep.equal([[2, 2], [1, 1], 0]);
        }
      }
    });

    it("have the steps that a solve in float32 chose, when these are given to another", async () => {
      for (const [t0, saveAt] of [
        [0, [0.1, 0.7]],
        [0.3, [1.1]],
        [1000.1, [1000.7, 999.3 + 2]],
      ] as const) {
        const request = { runtime, y0: one("float32", 1), t0, saveAt };
        const chosen = await solve(single(decay), { ...request, control: pid({ rtol: 1e-5, atol: 1e-5 }) });
        for (const save of ["hit", "interpolated"] as const) {
          const control = givenTimes(chosen.grid.times);
          const again = await solve(single(decay), { ...request, control, save });
          expect(again.stats.accepted, `${save} from ${t0}`).to.equal(chosen.stats.accepted);
          // rounding, and interpolation of order 4
          expect(distance(numbers(again.ys), numbers(chosen.ys))).to.be.below(1e-5);
        }
      }
    });

    it("may be given for trajectories that start and end at different ones, and be of none", async () => {
      const ode = neuralOde({ field: decay, method: dopri5 });
      const request = { runtime, y0: one("float64", 1, 1), t0: [0, 2], t1: [1, 3] };
      const [first, second] = await solveEach(ode, { ...request, control: givenTimes([0.5, 2.25, 2.5]) });
      expect([first!.grid.times, second!.grid.times]).to.deep.equal([
        [0, 0.5, 1],
        [2, 2.25, 2.5, 3],
      ]);
      await failure(solveEach(ode, { ...request, control: givenTimes([0.5, 4]) }), TimeError);
      await failure(solveEach(ode, { ...request, control: givenTimes([0.5, 0.25]) }), TimeError);
    });

    it("are those before the event that ends a solve, and that of the event", async () => {
      const event: Event = { signal: (b, _t, y) => sub(b, y, 0.5), terminal: true };
      for (const save of saves) {
        const { ts, ys } = await solve(neuralOde({ field: decay, method: dopri5 }), {
          ...{ runtime, y0: one("float64", 1), t0: 0, saveAt: [0.25, 0.5, 0.5, 0.9, 1], save },
          ...{ control: pid({ rtol: 1e-8, atol: 1e-8 }), events: [event] },
        });
        expect(ts.slice(0, -1), save).to.deep.equal([0.25, 0.5, 0.5]);
        expect(ts.at(-1)).to.be.closeTo(Math.log(2), 1e-7);
        expect(
          distance(
            numbers(ys),
            ts.map((t) => Math.exp(-t)),
          ),
        ).to.be.below(1e-5);
      }
    });
  });

  describe("in float32, far from 0", () => {
    it("are no matter to a field that does not depend on them", async () => {
      for (const t0 of [0, 1e4, -1e8]) {
        for (const [direction, runtime] of [
          [1, jit()],
          [-1, await ortNode()],
        ] as const) {
          const solved = await solve(single(decay), {
            ...{ runtime, y0: one("float32", 1), t0, t1: t0 + direction },
            control: pid({ rtol: 1e-5, atol: 1e-5 }),
          });
          // tolerance over some ten steps; at −1e8 times of float32 are 8 apart
          expect(numbers(solved.ys)[0]! * Math.exp(direction)).to.be.closeTo(1, 1e-4);
          expect(solved.warnings).to.deep.equal([]);
          expect(solved.grid.times.at(-1)).to.equal(t0 + direction);
        }
      }
    });

    it("leave the field what it sees of t, and steps no smaller than that: y' = 50 (cos (t − t0) − y)", async () => {
      const ask = (t0: number) =>
        solve(single(following(t0)), {
          ...{ runtime, y0: one("float32", 1), t0, t1: t0 + 10, control: pid({ rtol: 1e-4, atol: 1e-4 }) },
        });
      const near = await ask(0);
      expect(numbers(near.ys)[0]!).to.be.closeTo(followed(10), 1e-3);
      const far = await ask(1e4);
      // cos (t − t0) where t is off by half of 2^-10
      expect(numbers(far.ys)[0]!).to.be.closeTo(followed(10), 1e-3);
      const { times } = far.grid;
      // to the end of the solve a step may be shorter
      const shortest = Math.min(...times.slice(1, -1).map((t, i) => t - times[i]!));
      expect(shortest).to.be.above(2 ** -10);
      const error = await failure(ask(1e6), StepUnderflowError);
      expect(error.message)
        .to.match(/spacing of float32 times there, 0.0625/)
        .and.include("float64");
    });

    it("are refused where steps cannot be told apart, warned of where hardly, and right in float64: y' = cos t", async () => {
      const ask = (dtype: FloatDType, t0: number, more = {}) =>
        solve(neuralOde({ field: cosine, method: rk4, stepSize: 0.01, dtype }), {
          ...{ runtime, y0: one(dtype, 0), t0, t1: t0 + 10, ...more },
        });
      const { ys, warnings } = await ask("float64", 1e8);
      // sin 100000010 − sin 100000000, of t rounded to 1.5e-8
      expect(numbers(ys)[0]!).to.be.closeTo(-1.51566165, 1e-7);
      expect(warnings).to.deep.equal([]);
      for (const save of ["hit", "interpolated", "every-step"] as const) {
        const refused = await failure(ask("float32", 1e8, { save }), TimeError);
        expect(refused.message).to.include("8 apart").and.include("0.01").and.include("float64");
      }
      expect((await ask("float32", 1e4)).warnings.map(({ code }) => code)).to.deep.equal(["times"]);
      await failure(ask("float32", 1e4, { strict: true }), StrictError);
      expect((await ask("float32", 100)).warnings).to.deep.equal([]);
      // a span that is one time to the field
      const control = pid({ rtol: 1e-4, atol: 1e-4 });
      const ode = neuralOde({ field: cosine, method: dopri5, dtype: "float32" });
      const request = { runtime, y0: one("float32", 0), t0: 1e8, control };
      await failure(solve(ode, { ...request, t1: 1e8 + 3 }), TimeError);
      await failure(solve(ode, { ...request, t1: 1e8 + 10 }), StepUnderflowError);
    });

    it("have jumps that no step goes across", async () => {
      // y' = sign(t − 1000.5): 1000.5 is a number of float32, those next to it are 2^-14 away
      const field = scalarField("far kink", (b, _theta, t, y) => {
        const up = where(b, greater(b, t, 1000.5), b.scalar("float32", 1), b.scalar("float32", 0));
        const down = where(b, less(b, t, 1000.5), b.scalar("float32", 1), b.scalar("float32", 0));
        return add(b, mul(b, y, 0), sub(b, up, down));
      });
      for (const t0 of [1000, 999.9]) {
        const { ys, stats } = await solve(single(field), {
          ...{ runtime, y0: one("float32", 0), t0, t1: 1001, jumps: [1000.5] },
          control: pid({ rtol: 1e-6, atol: 1e-6 }),
        });
        expect(stats.rejected, String(t0)).to.equal(0);
        // the one step over the jump is 4 · 2^-14 long
        expect(numbers(ys)[0]!).to.be.closeTo(0.5 - (1000.5 - t0), 2e-4);
      }
      const told = await solve(single(kink), {
        ...{ runtime, y0: one("float32", 0), t0: -2, t1: 3, jumps: [1] },
        control: pid({ rtol: 1e-6, atol: 1e-6 }),
      });
      expect(told.stats.rejected).to.equal(0);
    });
  });

  it("are not stepped through in steps of nothing: from an equilibrium at t = 100, float32", async () => {
    const { ys, stats } = await solve(single(decay), {
      ...{ runtime, y0: one("float32", 0), t0: 100, t1: 101, control: pid({ rtol: 1e-4, atol: 1e-4 }) },
    });
    expect(numbers(ys)).to.deep.equal([0]);
    // a first step of next to nothing grows tenfold
    expect(stats.steps).to.be.below(10);
    // numbers of float64 near 1e12 are 1.2e-4 apart
    for (const direction of [1, -1]) {
      const { grid, stats } = await solve(neuralOde({ field: decay, method: dopri5 }), {
        ...{ runtime, y0: one("float64", 0), t0: 1e12, t1: 1e12 + direction, control: pid() },
      });
      const lengths = grid.times.slice(1).map((t, i) => (t - grid.times[i]!) * direction);
      expect([Math.min(...lengths) > 1.2e-4, stats.rejected]).to.deep.equal([true, 0]);
    }
  });

  it("are as far apart as dtmin says, but for the last step", async () => {
    const request = { runtime, y0: tensor("float64", [1, 2], [0, 1]), t0: 0, t1: 2 };
    const ode = neuralOde({ field: spinning, method: dopri5 });
    const shortest = ({ grid: { times } }: Solution) =>
      Math.min(...times.slice(1, -1).map((t, i) => t - times[i]!));
    const control = { rtol: 1e-4, atol: 1e-4, dt0: 0.3 };
    const free = shortest(await solve(ode, { ...request, control: pid(control) }));
    // a little above what the controller takes, whose safety leaves room for it
    const dtmin = 1.03 * free;
    expect(shortest(await solve(ode, { ...request, control: pid({ ...control, dtmin }) }))).to.be.at.least(
      dtmin * (1 - 1e-12),
    );
  });

  it("end a solve whose first step would be lost in their spacing: y' = 1e50 / y", async () => {
    const steep = scalarField("steep", (b, _theta, _t, y) => div(b, 1e50, y));
    for (const t0 of [1, -1]) {
      const error = await failure(
        solve(neuralOde({ field: steep, method: dopri5 }), {
          ...{ runtime, y0: one("float64", 1), t0, t1: 2 },
          control: pid(),
        }),
        StepUnderflowError,
      );
      expect(error.message).to.include("spacing of float64 times there, 2.22e-16");
      expect([error.accepted, error.rejected < 50]).to.deep.equal([0, true]);
    }
  });

  it("may be so near to 0 that steps are tiny there: y' = 1e20 (1 − y) from 0", async () => {
    const fast = scalarField("fast", (b, _theta, _t, y) => mul(b, sub(b, 1, y), 1e20));
    const { ys } = await solve(neuralOde({ field: fast, method: dopri5 }), {
      ...{
        runtime,
        y0: one("float64", 0),
        t0: 0,
        saveAt: [1e-20, 1e-18],
        control: pid({ rtol: 1e-8, atol: 1e-8 }),
      },
    });
    expect(distance(numbers(ys), [1 - Math.exp(-1), 1])).to.be.below(1e-6);
  });
});

describe("a field that is not finite at the start", () => {
  /** 0 / 0, whatever y is, before t = 3.5 in the second component */
  const holed: VectorField = {
    ...scalarField("holed", (b, _theta, t, y) =>
      where(b, less(b, t, 3.5), div(b, sub(b, y, y), mul(b, y, 0)), y),
    ),
  };

  it("is said to be so at once, with t0, however steps are chosen", async () => {
    for (const [dtype, runtime] of [
      ["float64", jit()],
      ["float32", jit()],
      ["float64", await ortNode()],
    ] as const) {
      for (const [method, control] of [
        [explicit(dopri5), pid()],
        [explicit(dopri5), pid({ dt0: 0.1 })],
        [reversible(bosh3), pid()],
        [explicit(rk4), constantStep(0.1)],
      ] as const) {
        for (const save of ["hit", "interpolated"] as const) {
          const work = solve(neuralOde({ field: holed, method, dtype }), {
            ...{ runtime, y0: one(dtype, 1, 2), t0: 3, t1: 4, control, save },
          });
          const error = await failure(work, NonFiniteFieldError);
          expect(error.message).to.include("initial time t0 = 3").and.include("component 0");
          expect([error.time, error.accepted]).to.deep.equal([3, 0]);
          // a given first step is shortened to the spacing of t, by 5 each time
          expect(error.rejected).to.be.below("dt0" in control && control.dt0 !== null ? 40 : 2);
        }
      }
    }
  });

  it("is said of the trajectory that it is so for", async () => {
    const error = await failure(
      solveEach(neuralOde({ field: holed, method: dopri5 }), {
        ...{ runtime: jit(), y0: one("float64", 1, 2), t0: [3.6, 3], t1: 4, control: pid() },
      }),
      NonFiniteFieldError,
    );
    expect([error.sample, error.time]).to.deep.equal([1, 3]);
  });
});
