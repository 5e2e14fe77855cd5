import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { maximum } from "../ops/extrema.js";
import { shapeOf } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import type { AdjointRule, Arriving, UndoingErrors } from "./adjoint.js";
import { errorType, undoingErrors } from "./reversible.js";
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
    const { errors, state, cotangents, sums, rows } = throughTurns(b, task, { end, kept }, arriving);
    const last = { state, known: task.links.start, here: cotangents, atEnd: arriving.end };
    return {
      start: arrivedAt(b, task, arriving, cotangents, b.scalar("int64", 0)),
      ...{ shared: sums, rows },
      undone: { start: state, errors: worse(b, errors, undoingErrors(b, task.links, last)) },
    };
  },
};

/**
 * The way back by undoing steps. In each turn, a stored state replaces the one that was got back; the errors are those of
 * the worst of these.
 */
function throughTurns(
  b: Builder,
  task: ScheduledTask,
  { end, kept }: Readonly<Record<"end" | "kept", readonly Value[]>>,
  arriving: Arriving,
): Sweep & { readonly errors: UndoingErrors } {
  const { links, schedule } = task;
  const { turns } = schedule;
  const layout = layoutOf(links, end);
  const zero = b.scalar(errorType(links), 0);
  const none: UndoingErrors = links.lost === null ? [zero] : [zero, zero];
  const unpacked = (values: readonly Value[]) =>
    [values.slice(0, none.length), layout.unpack(values.slice(none.length))] as const;
  const { carried } = loop(
    b,
    {
      trips: gather(b, shapeOf(b, turns), 0),
      carried: [...none, ...layout.first(b, arriving, noRows(b, links))],
      length: "turns",
    },
    (outer, turn, values) => {
      const row = gather(outer, turns, turn);
      const [leg, from, to] = (["leg", "from", "to"] as const).map((name) =>
        gather(outer, row, refreshTurns[name]),
      ) as [Value, Value, Value];
      const restored = kept.map((states) => gather(outer, states, leg));
      const [before, undone] = unpacked(values);
      const { state, cotangents } = undone;
      const at = { state, known: restored, here: cotangents, atEnd: arriving.end };
      const errors = worse(outer, before, undoingErrors(outer, links, at));
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
      return { carried: [...errors, ...through.carried] };
    },
  );
  const [errors, sweep] = unpacked(carried);
  return { errors, ...sweep };
}

function worse(b: Builder, one: UndoingErrors, other: UndoingErrors): UndoingErrors {
  return one.map((error, k) => maximum(b, error, other[k]!));
}
