import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { zerosLike } from "../ops/generate.js";
import { shapeOf, unsqueeze } from "../ops/reshape.js";
import { gatherND, scatterND } from "../ops/scatter.js";
import { concat, gather } from "../ops/slicing.js";
import type { Arriving, ChainRun, ChainTask, Observe } from "./adjoint.js";
import { at, type Links } from "./links.js";
import { withArrival } from "./sweep.js";
import type { Schedule } from "./tables.js";
import { stepsOf } from "./walk.js";

// What adjoints over some stored states have in common. Which states they are, and what is done with them on the way
// back, is up to a schedule.

/** A task with its schedule. */
export interface ScheduledTask extends ChainTask {
  readonly schedule: Schedule<Value>;
}

/** Steps that are taken one after the other. */
interface Stretch {
  readonly first: Value;
  readonly count: Value;
  /** how many there are at most, where they are kept, and otherwise about how many */
  readonly length: string;
  /** whether to keep the states before them */
  readonly keep?: boolean;
}

/** Goes a number of steps forward from a state, of which the first is number `first`. */
export function advance(
  b: Builder,
  links: Links,
  { first, count, length, keep = false }: Stretch,
  state: readonly Value[],
): { state: readonly Value[]; before: readonly Value[] } {
  const { carried, scans } = loop(b, { trips: count, carried: state, length }, (inner, k, within) => ({
    carried: links.step(inner, add(inner, first, k), within),
    scans: keep ? within : [],
  }));
  return { state: carried, before: scans };
}

/** What a chain that goes leg by leg leaves behind. */
export interface Legs extends Omit<ChainRun, "saved"> {
  readonly held: readonly Value[];
  /** stacked, one of each leg */
  readonly kept: readonly Value[];
}

/**
 * A chain from leg to leg of a schedule.
 *
 * @param observe  looks at the state at the end of each leg
 * @param first  what is held before the first leg, of the first state
 * @param keep  what is held and kept of a leg, from its first state to its last
 */
export function throughLegs(
  b: Builder,
  task: ScheduledTask,
  observe: Observe,
  first: (start: readonly Value[]) => readonly Value[],
  keep: (
    b: Builder,
    leg: Value,
    states: {
      readonly from: readonly Value[];
      readonly to: readonly Value[];
      readonly held: readonly Value[];
    },
  ) => { readonly held: readonly Value[]; readonly kept: readonly Value[] },
): Legs {
  const { links, schedule } = task;
  const { bounds, legs, places, saves } = schedule;
  const { start } = links;
  const width = start.length;
  const reported = task.saves.kind === "end" ? [] : links.reported;
  const count = gather(b, shapeOf(b, places), 0);
  let observing = 0;
  const { carried, scans } = loop(
    b,
    { trips: gather(b, shapeOf(b, legs), 0), carried: [...start, ...first(start)], length: "legs" },
    (outer, leg, values) => {
      const from = values.slice(0, width);
      const starts = add(outer, places, gather(outer, legs, leg));
      const walk = { trips: count, carried: from, length: "places" };
      const { carried: to, scans: rows } = loop(outer, walk, (inner, place, within) => {
        const bound = gather(inner, starts, place);
        const next = gather(inner, bounds, add(inner, bound, inner.scalar("int64", 1)));
        const begin = gather(inner, bounds, bound);
        const stretch = { first: begin, count: sub(inner, next, begin), length: "steps/bounds" };
        const { state } = advance(inner, links, stretch, within);
        return { carried: state, scans: at(state, reported) };
      });
      const { held, kept } = keep(outer, leg, { from, to, held: values.slice(width) });
      const observed = observe(outer, to);
      observing = observed.length;
      return { carried: [...to, ...held], scans: [...rows, ...observed, ...kept] };
    },
  );
  const watched = reported.length + observing;
  return {
    end: carried.slice(0, width),
    stacked: scans.slice(0, reported.length).map((rows) => gatherND(b, rows, saves)),
    observed: scans.slice(reported.length, watched),
    count: stepsOf(b, task),
    held: carried.slice(width),
    kept: scans.slice(watched),
  };
}

/** About how many steps there are in a turn on the way back. */
export const perTurn = "steps/turns";

/**
 * Cotangents of what is reported, with zeros after them for where nothing is saved. Those of saves that are of one state
 * are added up, in the row that stands for it among the arrivals.
 */
export function arrivingFrom(
  b: Builder,
  { links, saves, schedule }: ScheduledTask,
  { end, stacked }: Arriving,
): Arriving {
  const coincident = saves.kind === "at" && saves.coincident;
  const placed = (cotangent: Value, leaf: Value) => {
    const nothing = unsqueeze(b, zerosLike(b, leaf), [0]);
    const rows = concat(b, [cotangent, nothing], 0);
    if (!coincident) return rows;
    const states = gather(
      b,
      saves.offsets,
      b.ints(Array.from({ length: saves.count }, (_, save) => save + 1)),
    );
    const where = unsqueeze(b, gather(b, schedule.arrivals, states), [1]);
    return scatterND(b, zerosLike(b, rows), where, cotangent, "add");
  };
  return {
    end,
    stacked: links.reported.map((leaf, k) => {
      const cotangent = stacked[k];
      return cotangent ? placed(cotangent, links.start[leaf]!) : null;
    }),
  };
}

/** Cotangents of state i, with what the saves add to them there. */
export function arrivedAt(
  b: Builder,
  { links, schedule }: ScheduledTask,
  arriving: Arriving,
  cotangents: readonly Value[],
  i: Value,
): readonly Value[] {
  if (arriving.stacked.every((rows) => !rows)) return cotangents;
  return withArrival(b, links, arriving, cotangents, gather(b, schedule.arrivals, i));
}
