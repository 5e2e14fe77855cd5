import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { reshape, shapeOf, unsqueeze } from "../ops/reshape.js";
import { scatterND } from "../ops/scatter.js";
import { concat, gather } from "../ops/slicing.js";
import type { AdjointRule, Arriving } from "./adjoint.js";
import { advance, arrivedAt, arrivingFrom, perTurn, type ScheduledTask, throughLegs } from "./scheduled.js";
import { afterStep, layoutOf, noRows, type Sweep } from "./sweep.js";
import { checkpointTurns } from "./tables.js";

/**
 * Recursive checkpointing: states are kept in slots, one tensor of all slots for each array of a state, and those
 * between are taken again.
 */
export const checkpointing: AdjointRule = {
  run(b, given, observe = () => []) {
    const task = given as ScheduledTask;
    const { slots: first, stores } = task.schedule;
    const {
      held,
      kept: _,
      ...run
    } = throughLegs(
      b,
      task,
      observe,
      (start) => start.map((value) => gather(b, unsqueeze(b, value, [0]), first!)),
      (outer, leg, { from, held: slots }) => ({
        held: stored(outer, slots, gather(outer, stores!, leg), from),
        kept: [],
      }),
    );
    return { ...run, saved: held };
  },
  pull(b, given, { saved: held }, own) {
    const task = given as ScheduledTask;
    const arriving = arrivingFrom(b, task, own);
    const { cotangents, sums, rows } = throughTurns(b, task, held, arriving);
    const start = arrivedAt(b, task, arriving, cotangents, b.scalar("int64", 0));
    return { start, shared: sums, rows, undone: null };
  },
};

/** The slots with a state in one of them. */
function stored(b: Builder, slots: readonly Value[], slot: Value, state: readonly Value[]): Value[] {
  const place = reshape(b, slot, [1, 1]);
  return slots.map((states, k) => scatterND(b, states, place, unsqueeze(b, state[k]!, [0])));
}

/**
 * The way back by checkpoints. In each turn, a state comes out of a slot, goes forward, and into another slot; then all
 * states of the stretch from there to where cotangents are by now are taken again, and cotangents pulled through it.
 */
function throughTurns(b: Builder, task: ScheduledTask, held: readonly Value[], arriving: Arriving): Sweep {
  const { links, schedule } = task;
  const { turns } = schedule;
  const width = held.length;
  const layout = layoutOf(links, []);
  const { carried } = loop(
    b,
    {
      trips: gather(b, shapeOf(b, turns), 0),
      length: "turns",
      carried: [...held, ...layout.first(b, arriving, noRows(b, links))],
    },
    (outer, turn, values) => {
      const row = gather(outer, turns, turn);
      const [slot, from, at, store, to] = (["slot", "from", "at", "store", "to"] as const).map((name) =>
        gather(outer, row, checkpointTurns[name]),
      ) as [Value, Value, Value, Value, Value];
      const restored = values.slice(0, width).map((states) => gather(outer, states, slot));
      const count = sub(outer, at, from);
      const { state } = advance(outer, links, { first: from, count, length: perTurn }, restored);
      const next = stored(outer, values.slice(0, width), store, state);
      const pulled = throughStretch(outer, task, arriving, { at, to, state }, values.slice(width));
      return { carried: [...next, ...pulled] };
    },
  );
  return layout.unpack(carried.slice(width));
}

/** Takes the states of a stretch again, stacked, and pulls cotangents through it. */
function throughStretch(
  b: Builder,
  task: ScheduledTask,
  arriving: Arriving,
  { at, to, state }: { readonly at: Value; readonly to: Value; readonly state: readonly Value[] },
  values: readonly Value[],
): readonly Value[] {
  const { links } = task;
  const layout = layoutOf(links, []);
  const one = b.scalar("int64", 1);
  const length = sub(b, to, at);
  // no longer than there are slots
  const stretch = { first: at, count: sub(b, length, one), length: "slots", keep: true };
  const { state: last, before } = advance(b, links, stretch, state);
  const states = before.map((rows, k) => concat(b, [rows, unsqueeze(b, last[k]!, [0])], 0));
  const { carried } = loop(b, { trips: length, carried: values, length: perTurn }, (inner, j, within) => {
    const k = sub(inner, sub(inner, length, one), j);
    const i = add(inner, at, k);
    const own = states.map((rows) => gather(inner, rows, k));
    const sweep = layout.unpack(within);
    const arrived = arrivedAt(inner, task, arriving, sweep.cotangents, add(inner, i, one));
    const step = { ...links.pull(inner, i, own, arrived), before: [] };
    return { carried: layout.pack(afterStep(inner, links, i, sweep, step)) };
  });
  return carried;
}
