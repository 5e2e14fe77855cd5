import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { reshape, shapeOf, unsqueeze } from "../ops/reshape.js";
import { scatterND } from "../ops/scatter.js";
import { concat, gather } from "../ops/slicing.js";
import { addAll, pullStep, type SolveAdjoint } from "./backward-step.js";
import type { Setting } from "./inputs.js";
import { checkpointTurns } from "./schedule.js";
import {
  advance,
  arrivingFrom,
  atTimes,
  layoutOf,
  type Pulled,
  perTurn,
  type ScheduledInputs,
  throughLegs,
  throughStart,
  withArrival,
} from "./scheduled.js";

/**
 * Recursive checkpointing: states are kept in slots, one tensor of all slots for each array of a state, and those
 * between are taken again.
 */
export const checkpointAdjoint: SolveAdjoint<ScheduledInputs> = {
  solve(b, setting, inputs) {
    const { first, stores } = inputs.schedule.slots!;
    const { ys, drift, held } = throughLegs(
      b,
      setting,
      inputs,
      (start) => start.map((value) => gather(b, unsqueeze(b, value, [0]), first)),
      (outer, leg, { from, held: slots }) => ({
        held: stored(outer, slots, gather(outer, stores, leg), from),
        kept: [],
      }),
    );
    return { ys, drift, saved: held };
  },
  pull(b, setting, inputs, { saved: held }, cotangent) {
    const arriving = arrivingFrom(b, setting, inputs, cotangent);
    const pulled = throughTurns(b, setting, inputs, held, arriving);
    return {
      ...throughStart(b, setting, inputs, pulled, arriving),
      ...{ reconstructed: null, reconstructionError: null },
    };
  },
};

/** The slots with a state in one of them. */
function stored(b: Builder, slots: readonly Value[], slot: Value, state: State): Value[] {
  const place = reshape(b, slot, [1, 1]);
  return slots.map((states, k) => scatterND(b, states, place, unsqueeze(b, state[k]!, [0])));
}

/**
 * The way back by checkpoints. In each turn, a state comes out of a slot, goes forward, and into another slot; then all
 * states of the stretch from there to where cotangents are by now are taken again, and cotangents pulled through it.
 */
function throughTurns(
  b: Builder,
  setting: Setting,
  inputs: ScheduledInputs,
  held: readonly Value[],
  arriving: Value,
): Pulled {
  const { width } = setting.method;
  const { turns } = inputs.schedule;
  const layout = layoutOf(setting, inputs);
  const { carried } = loop(
    b,
    {
      trips: gather(b, shapeOf(b, turns), 0),
      length: "turns",
      carried: [...held, ...layout.nothing(b)],
    },
    (outer, turn, values) => {
      const row = gather(outer, turns, turn);
      const [slot, from, at, store, to] = (["slot", "from", "at", "store", "to"] as const).map((name) =>
        gather(outer, row, checkpointTurns[name]),
      ) as [Value, Value, Value, Value, Value];
      const one = outer.scalar("int64", 1);
      const restored = values.slice(0, width).map((states) => gather(outer, states, slot));
      const count = sub(outer, at, from);
      const { state } = advance(outer, setting, inputs, { first: from, count, length: perTurn }, restored);
      const next = stored(outer, values.slice(0, width), store, state);

      const length = sub(outer, to, at);
      // no longer than there are slots
      const stretch = { first: at, count: sub(outer, length, one), length: "slots", keep: true };
      const { state: last, before } = advance(outer, setting, inputs, stretch, state);
      const states = before.map((rows, k) => concat(outer, [rows, unsqueeze(outer, last[k]!, [0])], 0));
      const { carried: pulled } = loop(
        outer,
        { trips: length, carried: values.slice(width), length: perTurn },
        (inner, j, within) => {
          const k = sub(inner, sub(inner, length, one), j);
          const i = add(inner, at, k);
          const own = states.map((rows) => gather(inner, rows, k)) as unknown as State;
          const { cotangents, sums, times } = layout.unpack(within);
          const arrived = withArrival(inner, inputs, cotangents, arriving, add(inner, i, one));
          const step = pullStep(inner, setting, inputs, i, own, arrived);
          return {
            carried: layout.pack({
              cotangents: step.cotangents,
              sums: addAll(inner, sums, step.parameters),
              times: atTimes(inner, inputs, times, i, step.times),
            }),
          };
        },
      );
      return { carried: [...next, ...pulled] };
    },
  );
  return layout.unpack(carried.slice(width));
}
