import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { zeros } from "../ops/linalg.js";
import { shapeOf, unsqueeze } from "../ops/reshape.js";
import { gatherND, scatterND } from "../ops/scatter.js";
import { concat, gather } from "../ops/slicing.js";
import { addAll, type BackwardInputs, pullStart, type SolveCotangents, zerosOf } from "./backward-step.js";
import { firstTime, intervalAt, type Setting, systemIn } from "./inputs.js";
import type { ScheduleValues } from "./schedule.js";
import { pairMaxima, relativeDrift } from "./watch.js";

// What gradients over some stored states have in common. Which states they are, and what is done with them on the way
// back, is up to a schedule, which goes in as tables: one graph serves any number of steps and of states.

export interface ScheduledInputs extends BackwardInputs {
  readonly schedule: ScheduleValues;
}

/** What goes backwards. `times` is nothing, or one vector over the first time and the save times. */
export interface Pulled {
  readonly cotangents: readonly Value[];
  /** of the parameters, summed over the steps done */
  readonly sums: readonly Value[];
  readonly times: readonly Value[];
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
  { field, method }: Setting,
  { parameters, grid }: BackwardInputs,
  { first, count, length, keep = false }: Stretch,
  state: readonly Value[],
): { state: State; before: readonly Value[] } {
  const { carried, scans } = loop(b, { trips: count, carried: state, length }, (inner, k, within) => ({
    carried: method.step(
      systemIn(inner, field, parameters),
      intervalAt(inner, grid, add(inner, first, k)),
      within as unknown as State,
    ),
    scans: keep ? within : [],
  }));
  return { state: carried as unknown as State, before: scans };
}

/** What a solve that goes leg by leg leaves behind. */
export interface Legs {
  readonly ys: Value;
  readonly end: State;
  /** how far the companion of y has drifted off, over the size of y, at the ends of legs */
  readonly drift: Value | null;
  readonly held: readonly Value[];
  /** stacked, one of each leg */
  readonly kept: readonly Value[];
}

/**
 * A solve from leg to leg of a schedule.
 *
 * @param first  what is held before the first leg, of the method's first state
 * @param keep  what is held and kept of a leg, from its first state to its last
 */
export function throughLegs(
  b: Builder,
  setting: Setting,
  inputs: ScheduledInputs,
  first: (start: State) => readonly Value[],
  keep: (
    b: Builder,
    leg: Value,
    states: { readonly from: State; readonly to: State; readonly held: readonly Value[] },
  ) => { readonly held: readonly Value[]; readonly kept: readonly Value[] },
): Legs {
  const { field, method } = setting;
  const { bounds, legs, places, saves } = inputs.schedule;
  const start = method.start(systemIn(b, field, inputs.parameters), firstTime(b, inputs.grid), inputs.y0);
  const count = gather(b, shapeOf(b, places), 0);
  const { carried, scans } = loop(
    b,
    { trips: gather(b, shapeOf(b, legs), 0), carried: [...start, ...first(start)], length: "legs" },
    (outer, leg, values) => {
      const from = values.slice(0, method.width) as unknown as State;
      const starts = add(outer, places, gather(outer, legs, leg));
      const walk = { trips: count, carried: from, length: "places" };
      const { carried: to, scans: rows } = loop(outer, walk, (inner, place, within) => {
        const bound = gather(inner, starts, place);
        const next = gather(inner, bounds, add(inner, bound, inner.scalar("int64", 1)));
        const begin = gather(inner, bounds, bound);
        const stretch = { first: begin, count: sub(inner, next, begin), length: "steps/bounds" };
        const { state } = advance(inner, setting, inputs, stretch, within);
        return { carried: state, scans: [state[0]] };
      });
      const states = { from, to: to as unknown as State, held: values.slice(method.width) };
      const { held, kept } = keep(outer, leg, states);
      const norms = pairMaxima(outer, setting, states.to);
      return { carried: [...to, ...held], scans: [rows[0]!, ...norms, ...kept] };
    },
  );
  const end = carried.slice(0, method.width) as unknown as State;
  const watched = method.companion === undefined ? 1 : 3;
  const [rows, ...norms] = scans.slice(0, watched);
  const kept = scans.slice(watched);
  return {
    ys: gatherND(b, rows!, saves),
    end,
    drift: relativeDrift(b, setting, inputs.y0, end, norms),
    held: carried.slice(method.width),
    kept,
  };
}

/** About how many steps there are in a turn on the way back. */
export const perTurn = "steps/turns";

/**
 * Cotangents of the saved states, with zeros after them for where nothing is saved. Those of saves that are of one state
 * are added up, in the row that stands for it among the arrivals.
 */
export function arrivingFrom(
  b: Builder,
  { dtype, state, saves, coincident = false }: Setting,
  { grid, schedule }: ScheduledInputs,
  cotangent: Value,
): Value {
  if (!coincident) return concat(b, [cotangent, zeros(b, dtype, [1, ...state])], 0);
  const states = gather(b, grid.offsets, b.ints(Array.from({ length: saves }, (_, save) => save + 1)));
  const rows = unsqueeze(b, gather(b, schedule.arrivals, states), [1]);
  return scatterND(b, zeros(b, dtype, [saves + 1, ...state]), rows, cotangent, "add");
}

/** Pulls what is left at the first state through the way in which the method makes it. */
export function throughStart(
  b: Builder,
  setting: Setting,
  inputs: ScheduledInputs,
  { cotangents, sums, times }: Pulled,
  arriving: Value,
): Omit<SolveCotangents, "reconstructed" | "reconstructionError"> {
  const arrived = withArrival(b, inputs, cotangents, arriving, b.scalar("int64", 0));
  const start = pullStart(b, setting, inputs, arrived);
  const first = start.t0 === null ? zeros(b, setting.dtype, [1]) : unsqueeze(b, start.t0, [0]);
  const rest = zeros(b, setting.dtype, [setting.saves]);
  return {
    y0: start.y0,
    parameters: addAll(b, sums, start.parameters),
    times: times.length === 0 ? null : add(b, times[0]!, concat(b, [first, rest], 0)),
  };
}

/** What goes backwards, as a loop carries it. */
export function layoutOf({ method, state, dtype, saves }: Setting, { parameters, shares }: BackwardInputs) {
  const sums = Object.values(parameters);
  const end = method.width + sums.length;
  return {
    nothing: (b: Builder): Value[] => [
      ...Array.from({ length: method.width }, () => zeros(b, dtype, state)),
      ...sums.map((value) => zerosOf(b, value)),
      ...(shares === null ? [] : [zeros(b, dtype, [saves + 1])]),
    ],
    pack: (pulled: Pulled): Value[] => [...pulled.cotangents, ...pulled.sums, ...pulled.times],
    unpack: (values: readonly Value[]): Pulled => ({
      cotangents: values.slice(0, method.width),
      sums: values.slice(method.width, end),
      times: values.slice(end),
    }),
  };
}

/** Cotangents of a state, with what the loss adds to that of y there. */
export function withArrival(
  b: Builder,
  { schedule }: ScheduledInputs,
  [y, ...rest]: readonly Value[],
  arriving: Value,
  at: Value,
): [Value, ...Value[]] {
  return [add(b, y!, gather(b, arriving, gather(b, schedule.arrivals, at))), ...rest];
}

/** Adds cotangents of the times around step i, [from, to], to those of all times. */
export function atTimes(
  b: Builder,
  { schedule: { leadsTo } }: ScheduledInputs,
  times: readonly Value[],
  i: Value,
  around: readonly Value[],
): readonly Value[] {
  if (leadsTo === null) return [];
  const save = unsqueeze(b, gather(b, leadsTo, i), [0]);
  const places = unsqueeze(b, add(b, save, b.ints([0, 1])), [-1]);
  const updates = concat(
    b,
    around.map((value) => unsqueeze(b, value, [0])),
    0,
  );
  return [scatterND(b, times[0]!, places, updates, "add")];
}
