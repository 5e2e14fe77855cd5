import { expect } from "chai";
import fc from "fast-check";
import { binomialStores, defaultStates, reversal, reversalCost } from "../../src/chains/schedule.js";
import { numbers } from "../../src/core/tensor.js";
import type { GradientMethod } from "../../src/gradients/method.js";
import { scheduleTensors } from "../../src/gradients/schedule-tensors.js";
import { scheduleNames } from "../../src/programs/backward-names.js";
import type { Grid } from "../../src/programs/grid.js";

/** Tables as numbers, those of several columns as rows. */
function tablesOf(method: GradientMethod, grid: Grid) {
  const tensors = scheduleTensors(method, grid);
  const list = (name: keyof typeof scheduleNames) => numbers(tensors[scheduleNames[name]]!);
  const rows = (name: keyof typeof scheduleNames) => {
    const columns = tensors[scheduleNames[name]]!.shape[1]!;
    const values = list(name);
    return Array.from({ length: values.length / columns }, (_, i) =>
      values.slice(i * columns, (i + 1) * columns),
    );
  };
  return { list, rows };
}

/** Goes from leg to leg on numbers in place of states: those at the ends of places, and at the starts and ends of legs. */
function throughLegs({ list }: ReturnType<typeof tablesOf>) {
  const bounds = list("bounds");
  const places = list("places").length;
  let state = 0;
  return list("legs").map((start) => {
    const from = state;
    expect(bounds[start]).to.equal(state);
    const ends = Array.from({ length: places }, (_, place) => {
      const [first, next] = [bounds[start + place]!, bounds[start + place + 1]!];
      expect(next).to.be.at.least(first);
      state += next - first;
      return state;
    });
    return { from, ends, to: state };
  });
}

/** Solves of up to 300 steps with saves anywhere, t0 and each step included. */
const anyGrid = fc
  .tuple(fc.integer({ min: 1, max: 300 }), fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 300 }))
  .map(([steps, at]): Grid => {
    const saves = [...new Set([...at.map((save) => save % (steps + 1)), steps])].sort((a, b) => a - b);
    return { times: Array.from({ length: steps + 1 }, (_, i) => i), offsets: [0, ...saves] };
  });

const stepsOf = (grid: Grid) => grid.times.length - 1;

describe("the tables of a schedule", () => {
  const check = (property: (grid: Grid, count: number) => void) =>
    fc.assert(fc.property(anyGrid, fc.integer({ min: 1, max: 40 }), property), { seed: 5 });
  const methods = (count: number): GradientMethod[] => [
    { kind: "checkpoint", states: count },
    { kind: "checkpoint" },
    { kind: "reversible", refresh: count },
  ];

  it("lead through all steps and past every save, and little more is reported than there are saves", () =>
    check((grid, count) => {
      for (const method of methods(count)) {
        const tables = tablesOf(method, grid);
        const legs = throughLegs(tables);
        const offsets = grid.offsets.slice(1);
        expect(legs.at(-1)!.to).to.equal(stepsOf(grid));
        const found = tables.rows("saves").map(([leg, place]) => legs[leg!]!.ends[place!]);
        expect(found).to.deep.equal(offsets);
        const arrivals = tables.list("arrivals");
        expect(arrivals.length).to.equal(stepsOf(grid) + 1);
        for (const [at, save] of arrivals.entries()) expect(offsets[save] ?? at).to.equal(at);
        expect(arrivals.filter((save) => save < offsets.length).length).to.equal(offsets.length);
        const stores = method.kind === "checkpoint" ? (method.states ?? defaultStates(stepsOf(grid))) : 0;
        const most = method.kind === "checkpoint" ? stores : Math.ceil(stepsOf(grid) / count);
        expect(legs.length * legs[0]!.ends.length).to.be.at.most(2 * (offsets.length + most));
      }
    }));

  it("of checkpoints pull cotangents through each step once, last first, out of as many slots as states are stored", () =>
    check((grid, count) => {
      const steps = stepsOf(grid);
      for (const method of methods(count).slice(0, 2) as { kind: "checkpoint"; states?: number }[]) {
        const states = method.states ?? defaultStates(steps);
        const tables = tablesOf(method, grid);
        const slots: number[] = tables.list("slots");
        expect(slots.every((state) => state === 0)).to.equal(true);
        const unread = slots.length - 1;
        const stores = tables.list("stores");
        for (const [leg, { from }] of throughLegs(tables).entries()) slots[stores[leg]!] = from;
        const reversed: number[] = [];
        let taken = 0;
        let longest = 0;
        for (const [slot, from, at, store, to] of tables.rows("turns") as number[][]) {
          expect(slot).to.be.below(unread);
          expect(slots[slot!]).to.equal(from);
          taken += at! - from!;
          slots[store!] = at!;
          for (let i = to! - 1; i >= at!; i--) reversed.push(i);
          taken += Math.max(0, to! - at! - 1);
          longest = Math.max(longest, to! - at!);
        }
        expect(reversed).to.deep.equal(Array.from({ length: steps }, (_, i) => steps - 1 - i));
        const cost = reversalCost(
          binomialStores(steps, states),
          reversal(binomialStores(steps, states), steps, states),
        );
        expect(taken).to.equal(cost.advanced);
        expect(unread).to.be.at.most(Math.max(1, Math.min(states, steps)));
        // there is room for the states of a stretch but its last
        expect(longest - 1).to.be.at.most(slots.length);
      }
    }));

  it("of refreshed states undo each step once, last first, from the state after it", () =>
    check((grid, count) => {
      const tables = tablesOf({ kind: "reversible", refresh: count }, grid);
      const legs = throughLegs(tables);
      const undone: number[] = [];
      for (const [leg, from, to] of tables.rows("turns") as number[][]) {
        expect(legs[leg!]!.to).to.equal(to);
        expect(to! - from!).to.be.at.most(count);
        for (let i = to! - 1; i >= from!; i--) undone.push(i);
      }
      const steps = stepsOf(grid);
      expect(undone).to.deep.equal(Array.from({ length: steps }, (_, i) => steps - 1 - i));
    }));

  it("are none for gradients that have no schedule", () => {
    const grid = { times: [0, 1], offsets: [0, 1] };
    for (const kind of ["reversible", "direct", "continuous"] as const) {
      expect(scheduleTensors({ kind }, grid)).to.deep.equal({});
    }
  });
});
