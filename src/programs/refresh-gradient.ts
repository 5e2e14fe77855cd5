import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { ReversibleMethod, State } from "../methods/method.js";
import { sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { maximum } from "../ops/extrema.js";
import { shapeOf } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import type { SolveAdjoint } from "./backward-step.js";
import { undoable, undoStep } from "./gradient.js";
import type { Setting } from "./inputs.js";
import { refreshTurns } from "./schedule.js";
import {
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
import { largest, relativeTo } from "./watch.js";

/**
 * Backpropagation with reconstruction from stored states: the state at the end of each leg is kept, and steps are undone
 * from there.
 */
export const refreshAdjoint: SolveAdjoint<ScheduledInputs> = {
  solve(b, setting, inputs) {
    undoable(setting.method);
    const { ys, drift, end, kept } = throughLegs(
      b,
      setting,
      inputs,
      () => [],
      (_outer, _leg, { to }) => ({ held: [], kept: to }),
    );
    return { ys, drift, saved: [...end, ...kept] };
  },
  pull(b, given, inputs, { ys, saved }, cotangent) {
    const setting = { ...given, method: undoable(given.method) };
    const { width } = setting.method;
    const arriving = arrivingFrom(b, setting, inputs, cotangent);
    const legs = { end: saved.slice(0, width), kept: saved.slice(width) };
    const { state, error, ...pulled } = throughTurns(b, setting, inputs, legs, arriving);
    const [reconstructed] = state;
    const last = largest(b, sub(b, reconstructed, inputs.y0));
    return {
      ...throughStart(b, setting, inputs, pulled, arriving),
      reconstructed,
      reconstructionError: relativeTo(b, ys, inputs.y0, maximum(b, error, last)),
    };
  },
};

/**
 * The way back by undoing steps. In each turn, a stored state replaces the one that was got back; how far that was off at
 * most is the error.
 */
function throughTurns(
  b: Builder,
  setting: Setting & { readonly method: ReversibleMethod },
  inputs: ScheduledInputs,
  { end, kept }: Readonly<Record<"end" | "kept", readonly Value[]>>,
  arriving: Value,
): Pulled & { readonly state: State; readonly error: Value } {
  const { method } = setting;
  const { width } = method;
  const { turns } = inputs.schedule;
  const layout = layoutOf(setting, inputs);
  const { carried } = loop(
    b,
    {
      trips: gather(b, shapeOf(b, turns), 0),
      carried: [b.scalar(setting.dtype, 0), ...end, ...layout.nothing(b)],
      length: "turns",
    },
    (outer, turn, [error, ...values]) => {
      const row = gather(outer, turns, turn);
      const [leg, from, to] = (["leg", "from", "to"] as const).map((name) =>
        gather(outer, row, refreshTurns[name]),
      ) as [Value, Value, Value];
      const restored = kept.map((states) => gather(outer, states, leg));
      const off = maximum(outer, error!, largest(outer, sub(outer, values[0]!, restored[0]!)));
      const { carried } = loop(
        outer,
        { trips: sub(outer, to, from), carried: [...restored, ...values.slice(width)], length: perTurn },
        (inner, j, within) => {
          const after = sub(inner, to, j);
          const i = sub(inner, after, inner.scalar("int64", 1));
          const { cotangents, sums, times } = layout.unpack(within.slice(width));
          const nothing = inputs.shares === null ? [] : [0, 0].map(() => inner.scalar(setting.dtype, 0));
          const before = undoStep(inner, setting, inputs, i, {
            state: within.slice(0, width) as unknown as State,
            cotangents: withArrival(inner, inputs, cotangents, arriving, after),
            sums,
            times: nothing,
          });
          const around = atTimes(inner, inputs, times, i, before.times);
          return { carried: [...before.state, ...layout.pack({ ...before, times: around })] };
        },
      );
      return { carried: [off, ...carried] };
    },
  );
  const [error, ...values] = carried;
  return {
    state: values.slice(0, width) as unknown as State,
    error: error!,
    ...layout.unpack(values.slice(width)),
  };
}
