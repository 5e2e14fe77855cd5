import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { maximum } from "../ops/extrema.js";
import { shapeOf } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import type { AdjointRule, Arriving } from "./adjoint.js";
import { at } from "./links.js";
import { distance } from "./reversible.js";
import { arrivedAt, arrivingFrom, perTurn, type ScheduledTask, throughLegs } from "./scheduled.js";
import { afterStep, layoutOf, noRows, type Sweep } from "./sweep.js";
import { refreshTurns } from "./tables.js";

/** Reversal from stored states: the state at the end of each leg is kept, and steps are undone from there. */
export const refreshing: AdjointRule = {
  run(b, given, observe = () => []) {
    const {
      held: _,
      kept,
      ...run
    } = throughLegs(
      b,
      given as ScheduledTask,
      observe,
      () => [],
      (_outer, _leg, { to }) => ({ held: [], kept: to }),
    );
    return { ...run, saved: kept };
  },
  pull(b, given, { end, saved: kept }, own) {
    const task = given as ScheduledTask;
    const arriving = arrivingFrom(b, task, own);
    const { error, state, cotangents, sums, rows } = throughTurns(b, task, { end, kept }, arriving);
    const last = distance(b, task.links, state, task.links.start);
    return {
      start: arrivedAt(b, task, arriving, cotangents, b.scalar("int64", 0)),
      ...{ shared: sums, rows },
      undone: { start: state, error: maximum(b, error, last) },
    };
  },
};

/**
 * The way back by undoing steps. In each turn, a stored state replaces the one that was got back; how far that was off at
 * most is the error.
 */
function throughTurns(
  b: Builder,
  task: ScheduledTask,
  { end, kept }: Readonly<Record<"end" | "kept", readonly Value[]>>,
  arriving: Arriving,
): Sweep & { readonly error: Value } {
  const { links, schedule } = task;
  const { turns } = schedule;
  const layout = layoutOf(links, end);
  const { dtype } = at(links.start, links.floats.state)[0]!;
  const { carried } = loop(
    b,
    {
      trips: gather(b, shapeOf(b, turns), 0),
      carried: [b.scalar(dtype, 0), ...layout.first(b, arriving, noRows(b, links))],
      length: "turns",
    },
    (outer, turn, [error, ...values]) => {
      const row = gather(outer, turns, turn);
      const [leg, from, to] = (["leg", "from", "to"] as const).map((name) =>
        gather(outer, row, refreshTurns[name]),
      ) as [Value, Value, Value];
      const restored = kept.map((states) => gather(outer, states, leg));
      const undone = layout.unpack(values);
      const off = maximum(outer, error!, distance(outer, links, undone.state, restored));
      const through = loop(
        outer,
        {
          trips: sub(outer, to, from),
          carried: layout.pack({ ...undone, state: restored }),
          length: perTurn,
        },
        (inner, j, within) => {
          const behind = sub(inner, to, j);
          const i = sub(inner, behind, inner.scalar("int64", 1));
          const own = layout.unpack(within);
          const arrived = arrivedAt(inner, task, arriving, own.cotangents, behind);
          const step = links.back(inner, i, own.state, arrived);
          return { carried: layout.pack(afterStep(inner, links, i, own, step)) };
        },
      );
      return { carried: [off, ...through.carried] };
    },
  );
  const [error, ...values] = carried;
  return { error: error!, ...layout.unpack(values) };
}
