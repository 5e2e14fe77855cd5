import { expect } from "chai";
import fc from "fast-check";
import { constantStep, givenTimes, pid } from "../../src/control/control.js";
import { type FloatDType, numbers, ShapeError, tensor } from "../../src/core/tensor.js";
import { type Event, EventError } from "../../src/events/event.js";
import type { VectorField } from "../../src/fields/field.js";
import type { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { eventGradient } from "../../src/integrate/event-gradient.js";
import { EventBracketError } from "../../src/integrate/failures.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve, solveEach } from "../../src/integrate/solve.js";
import { explicit } from "../../src/methods/explicit.js";
import type { Method } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { dopri5, midpoint, tsit5 } from "../../src/methods/tableaux.js";
import { add, div, mul, neg, sub } from "../../src/ops/arithmetic.js";
import { maximum } from "../../src/ops/extrema.js";
import { less, where } from "../../src/ops/logic.js";
import { concat, split } from "../../src/ops/slicing.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { failure } from "../support/failure.js";
import { decay, spinning } from "./fields.js";

/** A ball at height x with velocity v: x' = v, v' = −g − k v. */
const ball: VectorField = {
  name: "ball",
  state: ["batch", 2],
  parameters: { g: { shape: [], initial: () => [9.81] }, k: { shape: [], initial: () => [0] } },
  apply(b, theta, _t, y) {
    const [, v] = split(b, y, 1, [1, 1]) as [Value, Value];
    return concat(b, [v, neg(b, add(b, mul(b, v, theta.k!), theta.g!))], 1);
  },
};
const height = (b: Builder, _t: Value, y: Value) => split(b, y, 1, [1, 1])[0]!;
const ground: Event = { name: "bounce", signal: height, direction: "falling", terminal: true };
const parametersOf = (g: number, k: number) => ({
  g: tensor("float64", [], [g]),
  k: tensor("float64", [], [k]),
});

describe("events", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const drop = (method: Method, x: number, v: number, t0 = 0, g = 9.81, k = 0) =>
    solve(neuralOde({ field: ball, method }), {
      ...{ runtime, parameters: parametersOf(g, k), y0: tensor("float64", [1, 2], [x, v]), t0, t1: t0 + 10 },
      ...{ control: pid({ rtol: 1e-8, atol: 1e-8 }), events: [ground] },
    });

  it("end a solve where they happen: a bouncing ball, as in closed form", async () => {
    const [g, restitution, x0] = [9.81, 0.8, 2];
    for (const method of [explicit(dopri5), reversible(tsit5, { coupling: 0.99 })]) {
      let [t, x, v] = [0, x0, 0];
      // the first bounce after √(2 x0 / g); each flight lasts 2 v / g
      let expected = Math.sqrt((2 * x0) / g);
      let speed = g * expected;
      for (let bounce = 0; bounce < 6; bounce++) {
        const { ts, ys, events, grid } = await drop(method, x, v, t);
        const [happening] = events;
        expect(ts).to.deep.equal([happening!.time]);
        expect(grid.times.at(-1)).to.equal(happening!.time);
        // parabolas are exact, so that only rounding is left, at −x'' = g
        expect(happening!.time, `bounce ${bounce}`).to.be.closeTo(expected, 1e-11);
        const [height, velocity] = numbers(ys) as [number, number];
        expect(height).to.be.closeTo(0, 1e-11);
        expect(velocity).to.be.closeTo(-speed, 1e-10);
        [t, x, v] = [happening!.time, height, -restitution * velocity];
        speed *= restitution;
        expected += (2 * speed) / g;
      }
    }
  });

  it("are noted on the way, by their direction, and can end a solve the n-th time", async () => {
    const first = (b: Builder, _t: Value, y: Value) => split(b, y, 1, [1, 1])[0]!;
    const request = {
      runtime,
      y0: tensor("float64", [1, 2], [0, 1]),
      t0: 0,
      control: pid({ rtol: 1e-9, atol: 1e-9 }),
    };
    const ode = neuralOde({ field: spinning, method: dopri5 });
    // u = sin t², zero at √(n π): falling for odd n, rising for even ones; it starts at zero, which does not count
    const zeros = (...ns: number[]) => ns.map((n) => Math.sqrt(n * Math.PI));
    const cases: [Event, number[]][] = [
      [{ signal: first }, zeros(1, 2, 3, 4, 5)],
      [{ signal: first, direction: "falling" }, zeros(1, 3, 5)],
      [{ signal: first, direction: "rising" }, zeros(2, 4)],
      [{ signal: first, terminal: 3 }, zeros(1, 2, 3)],
    ];
    for (const save of ["hit", "interpolated", "every-step", "dense"] as const) {
      for (const [event, expected] of cases) {
        const { events, ts, grid, ys } = await solve(ode, { ...request, t1: 4, events: [event], save });
        expect(events.length).to.equal(expected.length);
        for (const [i, { time, step, y }] of events.entries()) {
          // what the tolerance leaves of the phase
          expect(time).to.be.closeTo(expected[i]!, 1e-6);
          expect(grid.times[step]).to.equal(time);
          expect(Math.abs(numbers(y)[0]!)).to.be.below(1e-12);
        }
        const end = event.terminal === undefined ? 4 : events.at(-1)!.time;
        expect([ts.at(-1), grid.times.at(-1)], save).to.deep.equal([end, end]);
        expect(ys.shape[0]).to.equal(ts.length);
      }
    }
  });

  it("are told apart: the first of several in a step comes first", async () => {
    const at = (time: number): Event => ({ signal: (b, t) => sub(b, t, time) });
    const { events } = await solve(neuralOde({ field: decay, method: dopri5 }), {
      ...{ runtime, y0: tensor("float64", [1, 1], [1]), t0: 0, t1: 1, control: constantStep(1) },
      events: [at(0.7), at(0.25), { signal: (b, _t, y) => sub(b, y, 0.5), terminal: true }],
    });
    expect(events.map(({ event }) => event)).to.deep.equal([1, 2]);
    expect(events[0]!.time).to.be.closeTo(0.25, 1e-15);
    // one step of dopri5 of that size has an error of about 1e-5
    expect(events[1]!.time).to.be.closeTo(Math.log(2), 1e-5);
  });

  it("are seen after a zero at the start of a step: of (t − 0.5)(t − 0.75), in steps of 0.25", async () => {
    const roots = (...times: number[]): Event => ({
      signal: (b, t) => times.map((time) => sub(b, t, time)).reduce((x, y) => mul(b, x, y)),
    });
    const found = async (event: Event, direction: 1 | -1, dtype: FloatDType) => {
      const ode = neuralOde({ field: { ...decay, apply: (b, _p, _t, y) => add(b, mul(b, y, 0), 1) }, dtype });
      const [t0, t1] = direction === 1 ? [0, 1] : [1, 0];
      const y0 = tensor(dtype, [1, 1], [0]);
      const { events } = await solve(ode, {
        ...{ runtime, y0, t0, t1, control: constantStep(0.25), events: [event] },
      });
      return events.map(({ time }) => time);
    };
    for (const dtype of ["float64", "float32"] as const) {
      const both = await found(roots(0.5, 0.75), 1, dtype);
      expect(both).to.deep.equal([0.5, 0.75]);
      expect(await found(roots(0.5, 0.75), -1, dtype)).to.deep.equal([0.75, 0.5]);
      expect(await found({ ...roots(0.5, 0.75), direction: "rising" }, 1, dtype)).to.deep.equal([0.75]);
      // a zero at t0 is no event; that after it, in the same step, is one
      const [back] = await found(roots(0, 0.125), 1, dtype);
      expect(back).to.be.closeTo(0.125, 1e-6);
      // it touches zero at the end of a step, which is one event, not two
      expect(await found(roots(0.5, 0.5), 1, dtype)).to.deep.equal([0.5]);
      expect(await found(roots(0.5, 0.5, 0.5), 1, dtype)).to.deep.equal([0.5]);
    }
    // a signal that stays 0 is none, on the way or ever
    const flat: Event = { signal: (b, t) => maximum(b, sub(b, t, 0.6), 0) };
    expect(await found(flat, 1, "float64")).to.deep.equal([]);
  });

  it("are all there, each once, wherever they fall on saves, jumps, ends of steps and each other", async () => {
    const rising: VectorField = { ...decay, apply: (b, _p, _t, y) => add(b, mul(b, y, 0), 1) };
    const compiled = jit();
    // quarters fall together, thirds only nearly
    const moments = fc.uniqueArray(fc.constantFrom(0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1, 1.25), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(
        moments,
        moments,
        moments,
        fc.constantFrom(0, -2, 1024),
        fc.constantFrom(1, -1),
        fc.constantFrom("hit", "interpolated", "dense"),
        fc.constantFrom(constantStep(0.125), pid({ rtol: 1e-3, atol: 1e-3, dtmax: 0.07 })),
        fc.constantFrom<FloatDType>("float64", "float32"),
        async (roots, saves, jumps, t0, direction, save, control, dtype) => {
          const at = (all: readonly number[]) =>
            [...all].sort((x, y) => x - y).map((tau) => t0 + direction * tau);
          const [expected, saveAt] = [at(roots), [...at(saves), t0 + direction * 1.5]];
          // of y, which is t − t0: what the field sees of t far from 0 is not at stake
          const signal: Event["signal"] = (b, _t, y) =>
            roots.map((tau) => sub(b, y, direction * tau)).reduce((x, z) => mul(b, x, z));
          const solution = await solve(neuralOde({ field: rising, method: dopri5, dtype }), {
            ...{ runtime: compiled, y0: tensor(dtype, [1, 1], [0]), t0, saveAt, save, control },
            ...{ jumps: at(jumps), events: [{ signal }] },
          });
          expect(solution.ts).to.deep.equal(saveAt);
          const rounding = dtype === "float32" ? 1e-6 : 1e-12;
          const states = numbers(solution.ys);
          for (const [i, time] of saveAt.entries()) {
            expect(states[i]).to.be.closeTo(time - t0, rounding);
          }
          expect(solution.events.length).to.equal(expected.length);
          for (const [i, { time }] of solution.events.entries()) {
            expect(time).to.be.closeTo(expected[i]!, rounding);
          }
          const steps = solution.grid.times.slice(1).map((t, i) => (t - solution.grid.times[i]!) * direction);
          expect(Math.min(...steps)).to.be.above(0);
        },
      ),
      { seed: 4, numRuns: 60 },
    );
  }).timeout(120_000);

  it("end a solve at a save time with one row for it", async () => {
    const rising: VectorField = { ...decay, apply: (b, _p, _t, y) => add(b, mul(b, y, 0), 1) };
    for (const dtype of ["float64", "float32"] as const) {
      for (const save of ["hit", "interpolated", "dense", "every-step"] as const) {
        // the midpoint rule has y = t without rounding
        const { ts, ys } = await solve(neuralOde({ field: rising, method: explicit(midpoint), dtype }), {
          ...{ runtime, y0: tensor(dtype, [1, 1], [0]), t0: 0, saveAt: [0.25, 0.5, 1], save },
          ...{
            control: constantStep(0.25),
            events: [{ signal: (b, _t, y) => sub(b, y, 0.5), terminal: true }],
          },
        });
        expect(ts, save).to.deep.equal(save === "every-step" ? [0, 0.25, 0.5] : [0.25, 0.5]);
        expect(numbers(ys)).to.deep.equal(ts);
      }
    }
  });

  it("are three of a cubic on its way, seen with maxStep: roots of x³ + 6 x² − 4 x − 24", async () => {
    const cubic: VectorField = {
      ...decay,
      apply: (b, _p, t, y) => add(b, mul(b, y, 0), sub(b, add(b, mul(b, mul(b, t, t), 3), mul(b, t, 12)), 4)),
    };
    const { events } = await solve(neuralOde({ field: cubic, method: dopri5 }), {
      ...{
        runtime,
        y0: tensor("float64", [1, 1], [-120]),
        t0: -8,
        t1: 4,
        control: pid({ rtol: 1e-3, atol: 1e-6 }),
      },
      events: [{ signal: (_b, _t, y) => y, maxStep: 1 }],
    });
    expect(events.length).to.equal(3);
    for (const [i, root] of [-6, -2, 2].entries()) expect(events[i]!.time).to.be.closeTo(root, 1e-12);
  });

  it("are found on scales of time as small as those of electrons: y = a t² / 2 − d", async () => {
    const [a, d] = [1.7588e20, 1e-6];
    const falling: VectorField = {
      ...decay,
      state: ["batch", 2],
      apply(b, _p, _t, y) {
        const [, v] = split(b, y, 1, [1, 1]) as [Value, Value];
        return concat(b, [v, add(b, mul(b, v, 0), a)], 1);
      },
    };
    const { events } = await solve(neuralOde({ field: falling, method: dopri5 }), {
      ...{
        runtime,
        y0: tensor("float64", [1, 2], [-d, 0]),
        t0: 0,
        t1: 3e-13,
        control: pid({ rtol: 1e-8, atol: 1e-12 }),
      },
      events: [{ signal: (b, _t, y) => split(b, y, 1, [1, 1])[0]!, terminal: true }],
    });
    const expected = Math.sqrt((2 * d) / a);
    expect(events[0]!.time / expected).to.be.closeTo(1, 1e-12);
  });

  it("happen to a ball that is thrown from the ground, and comes down within a step", async () => {
    for (const method of [explicit(dopri5), reversible(tsit5, { coupling: 0.99 })]) {
      const { events } = await solve(neuralOde({ field: ball, method }), {
        ...{
          runtime,
          parameters: parametersOf(9.81, 0),
          y0: tensor("float64", [1, 2], [0, 2]),
          t0: 0,
          t1: 3,
        },
        ...{ control: constantStep(1), events: [ground] },
      });
      // a parabola, which each step has exactly: 2 v / g
      expect(events.map(({ time }) => time)[0]).to.be.closeTo(4 / 9.81, 1e-11);
    }
  });

  it("go unseen where two of them are in one step, unless steps are bounded by maxStep", async () => {
    const twice: Event = { name: "dip", signal: (b, t) => mul(b, sub(b, t, 0.3), sub(b, t, 0.4)) };
    const ode = neuralOde({ field: decay, method: dopri5 });
    const request = { runtime, y0: tensor("float64", [1, 1], [1]), t0: 0, t1: 1 };
    for (const control of [constantStep(1), pid({ rtol: 1e-2, atol: 1e-2, dt0: 1 })]) {
      const unseen = await solve(ode, { ...request, control, events: [twice] });
      expect(unseen.events).to.deep.equal([]);
      const { events, grid } = await solve(ode, {
        ...request,
        control,
        events: [{ ...twice, maxStep: 0.08 }],
      });
      expect(events.length).to.equal(2);
      expect(events[0]!.time).to.be.closeTo(0.3, 1e-15);
      expect(events[1]!.time).to.be.closeTo(0.4, 1e-15);
      const longest = Math.max(...grid.times.slice(1).map((t, i) => t - grid.times[i]!));
      expect(longest).to.be.at.most(0.0809);
    }
    for (const [maxStep, control, message] of [
      [-1, constantStep(0.1), "dip (maxStep) must be a positive number, but -1"],
      [0.1, givenTimes([0.5]), "steps of the solve are given"],
      [0.1, pid({ dtmin: 0.5 }), "no step above 0.1"],
    ] as const) {
      const work = solve(ode, { ...request, control, events: [{ ...twice, maxStep }] });
      expect((await failure(work, EventError)).message).to.include(message);
    }
  });

  it("happen to each trajectory of a batch at its own time", async () => {
    const y0 = tensor("float64", [3, 2], [2, 0, 1, 3, 5, -1]);
    const each = await solveEach(neuralOde({ field: ball, method: dopri5 }), {
      ...{ runtime, parameters: parametersOf(9.81, 0.3), y0, t0: 0, t1: 10, events: [ground] },
      control: pid({ rtol: 1e-8, atol: 1e-8 }),
    });
    for (const [i, { events, ts }] of each.entries()) {
      const solo = await drop(explicit(dopri5), numbers(y0)[2 * i]!, numbers(y0)[2 * i + 1]!, 0, 9.81, 0.3);
      expect(events[0]!.time).to.be.closeTo(solo.events[0]!.time, 1e-12);
      expect(ts).to.deep.equal([events[0]!.time]);
    }
  });

  it("have gradients by the implicit function theorem: of their time, and of the state at it", async () => {
    const start = [2, 0.5] as const;
    const timeOf = async (x: number, v: number, g: number, k: number) => {
      const { events } = await drop(explicit(dopri5), x, v, 0, g, k);
      return [events[0]!.time, numbers(events[0]!.y)[1]!] as const;
    };
    const [g, k, step] = [9.81, 0.3, 1e-4];
    const differences = await Promise.all(
      [0, 1, 2, 3].map(async (i) => {
        const at = [...start, g, k] as [number, number, number, number];
        const shifted = (d: number) => at.map((value, j) => (j === i ? value + d : value)) as typeof at;
        const [high, low] = [await timeOf(...shifted(step)), await timeOf(...shifted(-step))];
        return [0, 1].map((j) => (high[j]! - low[j]!) / (2 * step));
      }),
    );
    for (const [method, gradient] of [
      [explicit(dopri5), "direct"],
      [reversible(tsit5, { coupling: 0.99 }), "reversible"],
    ] as const) {
      const solution = await drop(method, ...start, 0, g, k);
      const shared = {
        ...{
          runtime,
          parameters: parametersOf(g, k),
          y0: tensor("float64", [1, 2], start),
          events: [ground],
        },
        ...{ solution, happening: solution.events[0]!, gradient },
      };
      const ode = neuralOde({ field: ball, method });
      const ofTime = await eventGradient(ode, { ...shared, cotangents: { time: 1 } });
      const ofVelocity = await eventGradient(ode, {
        ...shared,
        cotangents: { state: tensor("float64", [1, 2], [0, 1]) },
      });
      for (const [j, found] of [ofTime, ofVelocity].entries()) {
        const values = [
          ...numbers(found.y0),
          ...numbers(found.parameters.g!),
          ...numbers(found.parameters.k!),
        ];
        // differences of solves to 1e-8, over 2e-4
        for (const [i, value] of values.entries()) expect(value).to.be.closeTo(differences[i]![j]!, 1e-4);
      }
      // the height at the event is zero, whatever goes in
      const ofHeight = await eventGradient(ode, {
        ...shared,
        cotangents: { state: tensor("float64", [1, 2], [1, 0]) },
      });
      for (const value of numbers(ofHeight.y0)) expect(value).to.be.closeTo(0, 1e-6);
    }
  });

  it("must have one number for each time, and be found", async () => {
    const request = { runtime, y0: tensor("float64", [1, 2], [0, 1]), t0: 0, t1: 2, control: pid() };
    const ode = neuralOde({ field: spinning, method: dopri5 });
    await failure(solve(ode, { ...request, events: [{ signal: (_b, _t, y) => y }] }), ShapeError);
    await failure(
      solve(ode, { ...request, events: [{ signal: (b, t) => sub(b, t, 1), terminal: 0 }] }),
      EventError,
    );
    // the signal is not a number between 0.5 and 1.5
    const broken: Event = {
      signal: (b, t) => {
        const inside = less(b, mul(b, sub(b, t, 1), sub(b, t, 1)), 0.25);
        const nothing = div(b, sub(b, t, t), sub(b, t, t));
        return where(b, inside, nothing, sub(b, t, 1));
      },
    };
    const error = await failure(
      solve(neuralOde({ field: decay, method: dopri5 }), {
        ...{ runtime, y0: tensor("float64", [1, 1], [1]), t0: 0, t1: 2, control: constantStep(2) },
        events: [broken],
      }),
      EventBracketError,
    );
    expect(error.time).to.equal(0);
  });
});
