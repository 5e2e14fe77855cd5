import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { zeros } from "../ops/linalg.js";
import { unsqueeze } from "../ops/reshape.js";
import { flip } from "../ops/slice.js";
import { concat, gather } from "../ops/slicing.js";
import { addAll, type BackwardInputs, pullStart, zerosOf } from "./backward-step.js";
import { type Setting, stepsTo } from "./inputs.js";

/** What goes backwards through the steps. */
export interface Sweep<S extends State | null> {
  /** the reconstructed state, where it is reconstructed */
  readonly state: S;
  readonly cotangents: readonly Value[];
  /** cotangents of the parameters, summed over the steps done */
  readonly sums: readonly Value[];
  /** cotangents of the times around the steps, [from, to], summed over the steps between them */
  readonly times: readonly Value[];
}

/** What is left of a sweep at the initial state. */
export interface Swept<S extends State | null> {
  readonly state: S;
  readonly y0: Value;
  readonly parameters: readonly Value[];
  /** of the first time and the save times, [saves + 1] */
  readonly times: Value | null;
}

/**
 * Goes through the steps from last to first. On the way, each save adds its row of `cotangent` to that of y; at the end,
 * cotangents go through the way in which the method makes its first state.
 */
export function sweepBack<S extends State | null>(
  b: Builder,
  setting: Setting,
  inputs: BackwardInputs,
  cotangent: Value,
  end: S,
  stepBack: (b: Builder, i: Value, sweep: Sweep<S>) => Sweep<S>,
): Swept<S> {
  const { method, saves, everyStep, state, dtype } = setting;
  const { parameters, grid, shares } = inputs;
  const width = end === null ? 0 : end.length;
  const total = width + method.width + Object.keys(parameters).length;
  const pack = (sweep: Sweep<S>): Value[] => [
    ...(sweep.state ?? []),
    ...sweep.cotangents,
    ...sweep.sums,
    ...sweep.times,
  ];
  const unpack = (values: readonly Value[]): Sweep<S> => ({
    state: (end === null ? null : values.slice(0, width)) as S,
    cotangents: values.slice(width, width + method.width),
    sums: values.slice(width + method.width, total),
    times: values.slice(total),
  });
  const nothing = zeros(b, dtype, state);
  const noTimes = shares === null ? [] : [b.scalar(dtype, 0), b.scalar(dtype, 0)];
  const carried = pack({
    state: end,
    cotangents: Array.from({ length: method.width }, () => nothing),
    sums: Object.values(parameters).map((value) => zerosOf(b, value)),
    times: [],
  });
  const { carried: left, scans } = loop(b, { trips: saves, carried, length: saves }, (outer, k, values) => {
    const save = sub(outer, outer.scalar("int64", saves - 1), k);
    const arriving = [...values, ...noTimes];
    arriving[width] = add(outer, values[width]!, gather(outer, cotangent, save));
    const [first, count] = stepsTo(outer, grid, save);
    const last = add(outer, first, sub(outer, count, outer.scalar("int64", 1)));
    const through = everyStep
      ? pack(stepBack(outer, save, unpack(arriving)))
      : loop(outer, { trips: count, carried: arriving }, (inner, j, within) => ({
          carried: pack(stepBack(inner, sub(inner, last, j), unpack(within))),
        })).carried;
    return { carried: through.slice(0, total), scans: through.slice(total) };
  });
  const swept = unpack(left);
  const start = pullStart(b, setting, inputs, swept.cotangents);
  const [from, to] = scans;
  return {
    state: swept.state,
    y0: start.y0,
    parameters: addAll(b, swept.sums, start.parameters),
    times: from && to ? timesFrom(b, flip(b, from, 0), flip(b, to, 0), start.t0) : null,
  };
}

/** Cotangents of the first time and the save times, from those of the times before and after each stretch. */
export function timesFrom(b: Builder, from: Value, to: Value, t0: Value | null): Value {
  const zero = zeros(b, from.dtype, [1]);
  const first = t0 === null ? zero : unsqueeze(b, t0, [0]);
  return add(b, concat(b, [from, zero], 0), concat(b, [first, to], 0));
}
