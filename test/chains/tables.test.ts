import { expect } from "chai";
import fc from "fast-check";
import { checkpointPlan, type Plan, refreshPlan } from "../../src/chains/plan.js";
import { binomialStores, defaultStates, reversal, reversalCost } from "../../src/chains/schedule.js";
import { type Schedule, tablesOf } from "../../src/chains/tables.js";
import { numbers, type Tensor } from "../../src/core/tensor.js";

/** Steps, and how many of them lie before each save. */
interface Saving {
  readonly steps: number;
  readonly saves: readonly number[];
}

/** Tables as numbers, those of several columns as rows. */
function tablesFor(plan: Plan, { steps, saves }: Saving) {
  const tables: Schedule<Tensor> = tablesOf(plan, steps, saves);
  const list = (name: keyof Schedule<Tensor>) => numbers(tables[name]!);
  const rows = (name: keyof Schedule<Tensor>) => {
    const columns = tables[name]!.shape[1]!;
    const values = list(name);
    return Array.from({ length: values.length / columns }, (_, i) =>
      values.slice(i * columns, (i + 1) * columns),
    );
  };
  return { list, rows };
}

/** Goes from leg to leg on numbers in place of states: those at the ends of places, and at the starts and ends of legs. */
function throughLegs({ list }: ReturnType<typeof tablesFor>) {
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
const anySaving = fc
  .tuple(fc.integer({ min: 1, max: 300 }), fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 300 }))
  .map(([steps, at]): Saving => {
    const saves = [...new Set([...at.map((save) => save % (steps + 1)), steps])].sort((a, b) => a - b);
    return { steps, saves };
  });

describe("the tables of a schedule", () => {
  const check = (property: (saving: Saving, count: number) => void) =>
    fc.assert(fc.property(anySaving, fc.integer({ min: 1, max: 40 }), property), { seed: 5 });
  /** so many stored states, as many as suffice, and one every so many steps */
  const plans = (steps: number, count: number): [Plan, most: number][] => [
    [checkpointPlan(steps, count), count],
    [checkpointPlan(steps), defaultStates(steps)],
    [refreshPlan(steps, count), Math.ceil(steps / count)],
  ];

  it("lead through all steps and past every save, and little more is reported than there are saves", () =>
    check((saving, count) => {
      const { steps, saves: offsets } = saving;
      for (const [plan, most] of plans(steps, count)) {
        const tables = tablesFor(plan, saving);
        const legs = throughLegs(tables);
        expect(legs.at(-1)!.to).to.equal(steps);
        const found = tables.rows("saves").map(([leg, place]) => legs[leg!]!.ends[place!]);
        expect(found).to.deep.equal(offsets);
        const arrivals = tables.list("arrivals");
        expect(arrivals.length).to.equal(steps + 1);
        for (const [at, save] of arrivals.entries()) expect(offsets[save] ?? at).to.equal(at);
        expect(arrivals.filter((save) => save < offsets.length).length).to.equal(offsets.length);
        expect(legs.length * legs[0]!.ends.length).to.be.at.most(2 * (offsets.length + most));
      }
    }));

  it("of checkpoints pull cotangents through each step once, last first, out of as many slots as states are stored", () =>
    check((saving, count) => {
      const { steps } = saving;
      for (const [plan, states] of plans(steps, count).slice(0, 2)) {
        const tables = tablesFor(plan, saving);
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
    check((saving, count) => {
      const tables = tablesFor(refreshPlan(saving.steps, count), saving);
      const legs = throughLegs(tables);
      const undone: number[] = [];
      for (const [leg, from, to] of tables.rows("turns") as number[][]) {
        expect(legs[leg!]!.to).to.equal(to);
        expect(to! - from!).to.be.at.most(count);
        for (let i = to! - 1; i >= from!; i--) undone.push(i);
      }
      const { steps } = saving;
      expect(undone).to.deep.equal(Array.from({ length: steps }, (_, i) => steps - 1 - i));
    }));
});
