import { expect } from "chai";
import fc from "fast-check";
import {
  type Action,
  binomialStores,
  defaultStates,
  onlineStart,
  reversal,
  reversalCost,
  storeOnline,
} from "../../src/chains/schedule.js";
import { pid } from "../../src/control/control.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { byPath, mapLeaves } from "../../src/core/tree.js";
import type { Tensors } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { differentiator, gradientOf } from "../../src/gradients/evaluate.js";
import type { GradientSpec } from "../../src/gradients/method.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { alf } from "../../src/methods/alf.js";
import { effectivelySymmetric } from "../../src/methods/effectively-symmetric.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { bosh3, ees25, euler, midpoint, rk4 } from "../../src/methods/tableaux.js";
import { gridThrough } from "../../src/programs/grid.js";
import { downloadTree, uploadTree } from "../../src/runtime/compile-program.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { tensorsDistance } from "../support/distance.js";
import { wavering } from "../support/fields.js";
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

/** Bytes of the memory that the compiled runtime makes for what runs on it. */
async function bytesOf(work: (runtime: Runtime) => Promise<unknown>): Promise<number[]> {
  const memory = WebAssembly.Memory;
  const sizes: number[] = [];
  WebAssembly.Memory = class extends memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      sizes.push(descriptor.initial * 65536);
    }
  };
  try {
    await work(jit());
  } finally {
    WebAssembly.Memory = memory;
  }
  return sizes;
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
    ees25: effectivelySymmetric(ees25),
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

  it("are one run, and say how many evaluations it takes", async () => {
    const task = randomTask({ field, stepSize: 0.001, saves: [0.3, 1] });
    let runs = 0;
    const counted: Runtime = {
      ...runtime,
      async compile(graph, options) {
        const executable = await runtime.compile(graph, options);
        return {
          ...executable,
          run(inputs) {
            runs++;
            return executable.run(inputs);
          },
        };
      },
    };
    const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.001 });
    const options = { runtime: counted, loss: mse(), gradient: "checkpoint", ...task } as const;
    const { cost, work } = await gradientOf(ode, options);
    expect([runs, work.runs]).to.deep.equal([1, 1]);
    // 1954 steps in the literature's count, which has the way to the last store, and not that from there to the end
    const advanced = reversalCost(
      binomialStores(1000, 44),
      reversal(binomialStores(1000, 44), 1000, 44),
    ).advanced;
    expect(advanced).to.be.below(1000);
    // four evaluations per coupled midpoint step
    expect(work).to.include({ forward: 4000, recomputed: 4 * advanced, backward: 4000 });
    expect(cost).to.include({ steps: 1000, evaluations: 8000 + 4 * advanced, storedStates: 44 });
  });

  it("need memory for the states that they say, twice at most, and a few more", async () => {
    const dim = 10_000;
    const wide = wavering(dim);
    const ode = neuralOde({ field: wide, method: explicit(euler), stepSize: 0.005 });
    const zeros = (shape: number[]) => tensor("float64", shape, new Float64Array(dim));
    const statesOf = async (gradient: GradientSpec) => {
      const fit = {
        grid: gridThrough(0, [1], 0.005),
        y0: zeros([1, dim]),
        target: zeros([1, 1, dim]),
        weight: null,
      };
      const parameters = { w: zeros([dim]) };
      const sizes = await bytesOf((compiled) =>
        gradientOf(ode, { runtime: compiled, loss: mse(), gradient, fit, parameters }),
      );
      // what was compiled for the grid was right at once
      expect(sizes.length).to.equal(1);
      return sizes[0]! / (8 * dim);
    };
    // the parameters, the cotangents, the state and those that a step makes
    const others = await statesOf("checkpoint:1");
    expect(others).to.be.below(40);
    for (const states of [4, 8, 16]) {
      // y at the end of each leg, too; room for stretches comes in eighths of a power of two
      expect(await statesOf(`checkpoint:${states}`)).to.be.below(others + 3.2 * states);
    }
    // a measurement that sees what is kept
    expect(await statesOf("direct")).to.be.within(200, 224 + others);
  });

  it("are the same on the compiled runtime, over steps that are chosen anew", async () => {
    const ode = neuralOde({ field, method: explicit(bosh3), stepSize: 1 });
    const task = randomTask({ field, stepSize: 1, saves: [0.4, 1, 3], batch: 2 });
    const control = pid({ rtol: 1e-4, atol: 1e-5 });
    for (const gradient of ["checkpoint", "checkpoint:3"] as const) {
      const on = async (one: Runtime) => {
        const compiled = await differentiator(ode, {
          runtime: one,
          loss: mse(),
          gradient,
          control,
          fit: task.fit,
        });
        const found: Tensors[] = [];
        for (const scale of [1, 3, 0.5]) {
          const parameters = mapLeaves(task.parameters, (leaf) => {
            const value = leaf as Tensor;
            return one.upload(
              tensor(
                "float64",
                value.shape,
                numbers(value).map((x) => x * scale),
              ),
            );
          });
          const results = await compiled.run({ parameters }, compiled.fixed(task.fit));
          found.push(byPath<Tensor>(await downloadTree(one, results)));
        }
        await compiled.release();
        return { found, steps: compiled.cost.steps };
      };
      const [own, reference] = [await on(jit()), await on(runtime)];
      expect(own.steps).to.equal(reference.steps);
      // rounding differs between runtimes, and grows a little over some tens of steps
      own.found.forEach((tensors, i) => {
        expect(tensorsDistance(tensors, reference.found[i]!)).to.be.below(1e-11);
      });
    }
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
    const trained = { parameters: uploadTree(runtime, task.parameters) };
    for (const stepSize of [0.1, 0.03, 0.31]) {
      const { fit } = randomTask({ field, stepSize, saves: [0.4, 1] });
      const results = await compiled.run(trained, compiled.fixed(fit));
      const [loss] = numbers(await runtime.download(results.loss));
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
