import { expect } from "chai";
import fc from "fast-check";
import { numbers } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { differentiator, gradientOf } from "../../src/gradients/evaluate.js";
import type { GradientSpec } from "../../src/gradients/method.js";
import {
  type Action,
  binomialStores,
  defaultStates,
  onlineStart,
  reversal,
  reversalCost,
  storeOnline,
} from "../../src/gradients/schedule.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { alf } from "../../src/methods/alf.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4 } from "../../src/methods/tableaux.js";
import { lossName } from "../../src/programs/names.js";
import type { DeviceTensor, Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { tensorsDistance } from "../support/distance.js";
import { randomTask } from "../support/gradients.js";

/** Carries out a schedule on numbers in place of states, and says what it did. */
function carryOut(stores: readonly number[], actions: Iterable<Action>, states: number) {
  const slots = new Map(stores.map((at, slot) => [slot, at]));
  const reversed: number[] = [];
  const repeats = new Map<number, number>();
  const take = (from: number, to: number) => {
    for (let i = from; i < to; i++) repeats.set(i, (repeats.get(i) ?? 0) + 1);
  };
  let working = Number.NaN;
  for (const action of actions) {
    switch (action.kind) {
      case "restore":
        expect(slots.get(action.slot)).to.equal(action.at);
        working = action.at;
        if (action.last) slots.delete(action.slot);
        break;
      case "store":
        expect(slots.has(action.slot)).to.equal(false);
        expect(working).to.equal(action.at);
        slots.set(action.slot, action.at);
        break;
      case "advance":
        expect(working).to.equal(action.from);
        take(action.from, action.to);
        working = action.to;
        break;
      case "reverse":
        expect(working).to.equal(action.from);
        take(action.from, action.to - 1);
        for (let i = action.to - 1; i >= action.from; i--) reversed.push(i);
        // the last of the states between is the working one
        expect(slots.size + Math.max(0, action.to - action.from - 1)).to.be.at.most(states);
        break;
      default:
        expect.fail(`nothing is to be done like ${action.kind}`);
    }
    expect(slots.size).to.be.at.most(states);
  }
  expect(slots.size).to.equal(0);
  return { reversed, repeats };
}

/** Steps taken beside those reversed, the way to the last store included, as the literature counts them. */
function countOf(stores: readonly number[], steps: number, states: number): number {
  return stores.at(-1)! + reversalCost(stores, reversal(stores, steps, states)).advanced;
}

/** The fewest steps that any schedule takes, by trying every place for the next store. */
function fewest(known: Map<string, number>, steps: number, states: number): number {
  if (steps <= 1) return 0;
  if (states === 1) return (steps * (steps - 1)) / 2;
  const key = `${steps},${states}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  let best = Number.POSITIVE_INFINITY;
  for (let m = 1; m < steps; m++) {
    best = Math.min(best, m + fewest(known, steps - m, states - 1) + fewest(known, m, states));
  }
  known.set(key, best);
  return best;
}

/** What an online solve has stored after a number of steps. */
function storedOnline(steps: number, states: number): number[] {
  let held = onlineStart;
  for (let at = 1; at < steps; at++) held = storeOnline(held, at, states);
  return held.map(({ at }) => at);
}

const anySolve = fc.record({
  steps: fc.integer({ min: 1, max: 300 }),
  states: fc.integer({ min: 2, max: 30 }),
});

describe("the schedule of checkpoints", () => {
  for (const [states, count] of [
    [1, 499_500],
    [2, 28_820],
    [4, 7_998],
    [8, 4_285],
    [44, 1_954],
  ] as const) {
    it(`takes ${count} steps again for 1000 steps and ${states} stored states, as published`, () => {
      const stores = binomialStores(1000, states);
      expect(countOf(stores, 1000, states)).to.equal(count);
      expect(reversalCost(stores, reversal(stores, 1000, states)).states).to.equal(states);
    });
  }

  it("takes as few steps as any schedule can, for up to 50 steps and 10 states", () => {
    const known = new Map<string, number>();
    for (let steps = 1; steps <= 50; steps++) {
      for (let states = 1; states <= 10; states++) {
        const count = countOf(binomialStores(steps, states), steps, states);
        expect(count, `${steps} steps, ${states} states`).to.equal(fewest(known, steps, states));
      }
    }
  });

  it("reverses each step once, from last to first, out of the states that it stored", () => {
    fc.assert(
      fc.property(anySolve, ({ steps, states }) => {
        const stores = binomialStores(steps, states);
        const { reversed } = carryOut(stores, reversal(stores, steps, states), states);
        expect(reversed).to.deep.equal(Array.from({ length: steps }, (_, i) => steps - 1 - i));
      }),
      { seed: 1 },
    );
  });

  it("counts what carrying it out takes", () => {
    fc.assert(
      fc.property(anySolve, ({ steps, states }) => {
        const stores = binomialStores(steps, states);
        const { repeats } = carryOut(stores, reversal(stores, steps, states), states);
        const taken = [...repeats.values()].reduce((sum, count) => sum + count, 0);
        expect(reversalCost(stores, reversal(stores, steps, states)).advanced).to.equal(taken);
      }),
      { seed: 2 },
    );
  });

  it("has by default the fewest states with which each step is taken again at most once", () => {
    for (let steps = 1; steps <= 400; steps++) {
      const most = (states: number) => {
        const stores = binomialStores(steps, states);
        const { repeats } = carryOut(stores, reversal(stores, steps, states), states);
        return Math.max(0, ...repeats.values());
      };
      const states = defaultStates(steps);
      expect(most(states)).to.be.at.most(1);
      if (states > 1) expect(most(states - 1)).to.be.above(1);
    }
  });

  it("does nothing for a solve without steps", () => {
    const stores = binomialStores(0, 3);
    expect(stores).to.deep.equal([0]);
    expect(carryOut(stores, reversal(stores, 0, 3), 3).reversed).to.deep.equal([]);
  });
});

describe("the schedule of checkpoints for a solve of unknown length", () => {
  it("keeps the initial state and as many as there are slots for, in order", () => {
    fc.assert(
      fc.property(anySolve, ({ steps, states }) => {
        const stores = storedOnline(steps, states);
        expect(stores.length).to.equal(Math.min(steps, states));
        expect(stores[0]).to.equal(0);
        expect(stores).to.deep.equal([...stores].sort((a, b) => a - b));
      }),
      { seed: 3 },
    );
  });

  it("reverses each step once, from last to first, wherever the solve ends", () => {
    fc.assert(
      fc.property(anySolve, ({ steps, states }) => {
        const stores = storedOnline(steps, states);
        const { reversed } = carryOut(stores, reversal(stores, steps, states), states);
        expect(reversed).to.deep.equal(Array.from({ length: steps }, (_, i) => steps - 1 - i));
      }),
      { seed: 4 },
    );
  });

  it("takes no step more than once oftener than the schedule for a known length does", () => {
    fc.assert(
      fc.property(anySolve, ({ steps, states }) => {
        const most = (stores: readonly number[]) => {
          const { repeats } = carryOut(stores, reversal(stores, steps, states), states);
          // on the way to the last store each step was taken once already
          for (let i = 0; i < stores.at(-1)!; i++) repeats.set(i, (repeats.get(i) ?? 0) + 1);
          return Math.max(0, ...repeats.values());
        };
        expect(most(storedOnline(steps, states))).to.be.at.most(1 + most(binomialStores(steps, states)));
      }),
      { seed: 5 },
    );
  });

  it("takes at most half as many steps more, and 3 % more at 1000 steps and 44 states", () => {
    const ratio = (steps: number, states: number) =>
      countOf(storedOnline(steps, states), steps, states) /
      Math.max(1, countOf(binomialStores(steps, states), steps, states));
    for (const states of [2, 5, 9, 20, 44]) {
      for (let steps = 2; steps < 1500; steps += 13) expect(ratio(steps, states)).to.be.below(1.5);
    }
    expect(ratio(1000, 44)).to.be.below(1.03);
  });
});

/** A runtime that counts runs, steps and the states that are alive. */
function counting(runtime: Runtime) {
  const alive = new Set<DeviceTensor>();
  const counts = { runs: 0, advanced: 0, reversed: 0, peak: 0, alive };
  const counted: Runtime = {
    ...runtime,
    async compile(graph, options) {
      const executable = await runtime.compile(graph, options);
      return {
        ...executable,
        async run(inputs) {
          counts.runs++;
          if (inputs.bounds !== undefined) {
            const bounds = numbers(await runtime.download(inputs.bounds));
            const steps = bounds.at(-1)! - bounds[0]!;
            if (graph.name === "advance") counts.advanced += steps;
            else {
              counts.advanced += steps - 1;
              counts.reversed += steps;
            }
          }
          const results = await executable.run(inputs);
          for (const [name, value] of Object.entries(results)) {
            if (name.startsWith("next/state/")) alive.add(value);
          }
          counts.peak = Math.max(counts.peak, alive.size);
          return results;
        },
      };
    },
    dispose(value) {
      alive.delete(value);
      runtime.dispose(value);
    },
  };
  return { runtime: counted, counts };
}

describe("gradients by checkpoints", () => {
  const field = mlp({ dim: 3, hidden: [6] });
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const methods = {
    "plain RK4": explicit(rk4),
    "reversible midpoint": reversible(midpoint),
    "asynchronous leapfrog": alf(),
  };
  for (const [name, method] of Object.entries(methods)) {
    it(`of ${name} are those of stored steps, whatever the number of states`, async () => {
      const ode = neuralOde({ field, method, stepSize: 0.05 });
      const task = randomTask({
        field,
        stepSize: 0.05,
        saves: [0, 0.13, 0.2, 1, 1.5],
        batch: 2,
        missing: 0.2,
      });
      const all = async (gradient: GradientSpec) => {
        const { parameters, y0, loss } = await gradientOf(ode, { runtime, loss: mse(), gradient, ...task });
        return { loss, all: { ...parameters, y0 } };
      };
      const direct = await all("direct");
      for (const gradient of [
        "checkpoint",
        ...[1, 2, 3, 7, 100].map((n) => `checkpoint:${n}` as const),
      ] as const) {
        const found = await all(gradient);
        expect(found.loss).to.equal(direct.loss);
        // the same steps from the same states: sums may be associated differently, states may not
        expect(tensorsDistance(found.all, direct.all), gradient).to.be.below(1e-14);
      }
    });
  }

  it("take the runs and evaluations that they say, and hold no more states", async () => {
    const task = randomTask({ field, stepSize: 0.01, saves: [0.3, 0.55, 1] });
    const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.01 });
    for (const states of [1, 2, 4, 8, 13]) {
      const { runtime: counted, counts } = counting(runtime);
      const options = { runtime: counted, loss: mse(), gradient: `checkpoint:${states}`, ...task } as const;
      const { cost, work } = await gradientOf(ode, options);
      expect(counts.runs).to.equal(work.runs);
      expect(counts.reversed).to.equal(100);
      // four evaluations per coupled midpoint step
      expect(work.forward + work.recomputed).to.equal(4 * counts.advanced);
      expect(work.backward).to.equal(4 * 100);
      expect(cost.evaluations).to.equal(4 * (counts.advanced + 100));
      expect(cost.storedStates).to.equal(states);
      // y and z each, in slots, as the working state, and as the one that it is made from
      expect(counts.peak).to.be.at.most(2 * (states + 2));
      expect(counts.alive.size).to.equal(0);
    }
  });

  it("take some hundred runs for 1000 steps with as many states as the default", async () => {
    const task = randomTask({ field, stepSize: 0.001, saves: [1] });
    const ode = neuralOde({ field, method: explicit(midpoint), stepSize: 0.001 });
    const { cost, work } = await gradientOf(ode, { runtime, loss: mse(), gradient: "checkpoint", ...task });
    expect(cost.steps).to.equal(1000);
    expect(cost.storedStates).to.equal(44);
    expect(work.runs).to.be.below(130);
    // 1954 in the literature's count, which has the way to the last store, and not the way on from there to the end
    expect(work.recomputed / 2).to.be.below(1000);
  });

  it("serve grids of any number of steps with what was compiled for one", async () => {
    const task = randomTask({ field, stepSize: 0.1, saves: [0.4, 1] });
    const ode = neuralOde({ field, method: explicit(rk4), stepSize: 0.1 });
    let compilations = 0;
    const counted: Runtime = {
      ...runtime,
      compile(graph, options) {
        compilations++;
        return runtime.compile(graph, options);
      },
    };
    const options = { runtime: counted, loss: mse(), gradient: "checkpoint:3", fit: task.fit } as const;
    const compiled = await differentiator(ode, options);
    const before = compilations;
    const trained = Object.fromEntries(
      Object.entries(task.parameters).map(([name, value]) => [`parameters/${name}`, runtime.upload(value)]),
    );
    for (const stepSize of [0.1, 0.03, 0.31]) {
      const { fit } = randomTask({ field, stepSize, saves: [0.4, 1] });
      const results = await compiled.run(trained, compiled.fixed(fit));
      const [loss] = numbers(await runtime.download(results[lossName]!));
      const direct = await gradientOf(ode, {
        runtime,
        loss: mse(),
        gradient: "direct",
        fit,
        parameters: task.parameters,
      });
      expect(loss).to.equal(direct.loss);
    }
    expect(compilations).to.equal(before);
    await compiled.release();
  });
});
