import type { AdjointSpec } from "../chains/adjoints.js";
import type { Chain } from "../chains/chain.js";
import { runChain } from "../chains/run-chain.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { zerosLike } from "../ops/generate.js";
import { zeros } from "../ops/linalg.js";
import { greater, where } from "../ops/logic.js";
import { transpose, unsqueeze } from "../ops/reshape.js";
import { flip, slice } from "../ops/slice.js";
import { concat } from "../ops/slicing.js";
import { type Layer, LayerError, type SolvesInTraining } from "./layer.js";

/** Series that are each observed at times of their own. */
export interface ObservedSeries {
  /** [batch, places, channels]; what stands where nothing was observed is not read */
  readonly values: Value;
  /** 1 where there is an observation and 0 where there is none, of the same shape */
  readonly mask: Value;
  /**
   * [batch, places], ascending in each series. A series of fewer observations has its last time in the places that are left,
   * and a mask of 0 there.
   */
  readonly times: Value;
}

/** What is seen at one time. */
export interface Observation {
  /** [batch, channels], 0 where nothing was observed */
  readonly values: Value;
  readonly mask: Value;
}

/**
 * A recurrent network for observations at irregular times: its state goes from one observation to the next, and takes each
 * in. The first array of a state is the hidden one.
 */
export interface ObservedCell<State extends readonly Value[] = readonly Value[]> {
  readonly name: string;
  readonly parameters: Layer["parameters"];
  /** components of an observation */
  readonly channels: number;
  /** the widths of the arrays of a state */
  readonly widths: readonly number[];
  /** the width of what `read` gives */
  readonly readWidth: number;
  /** The state a time later. @param gap  [batch, 1]  @param training  for solves */
  readonly evolve: (
    b: Builder,
    theta: Values,
    gap: Value,
    state: State,
    training?: SolvesInTraining | null,
  ) => State;
  /** What is known of the present before an observation, for predictions: [batch, readWidth]. */
  readonly read: (b: Builder, theta: Values, state: State) => Value;
  /** The state after an observation. Series of which nothing is seen keep theirs. */
  readonly update: (b: Builder, theta: Values, seen: Observation, state: State) => State;
}

export interface AlongObservationsOptions<State extends readonly Value[] = readonly Value[]> {
  /** the state before the first observation; zeros by default */
  readonly start?: State;
  /** from `t0` on, or from the last observation back to `t0` */
  readonly direction?: "forward" | "backward";
  /** the time of the state at the start, or where a walk back ends; 0 by default */
  readonly t0?: number;
  /** how it is differentiated: "direct" by default, which stores the state at each time */
  readonly adjoint?: AdjointSpec;
  /** what the model is told that it is in, for solves of the cell */
  readonly training?: SolvesInTraining | null;
}

/** What a cell makes of series. */
export interface AlongObservations<State> {
  /** what was known before each observation, [batch, places, readWidth], in the order of the walk */
  readonly before: Value;
  /** the hidden state after each, [batch, places, width] */
  readonly after: Value;
  /** the state at the end of the walk: after the last observation, or at t0 */
  readonly end: State;
}

/**
 * Walks a cell along series, each at times of its own, as a chain:
 *
 *   s ← evolve(s, tₖ − tₖ₋₁),   s ← update(s, xₖ) where anything of xₖ was observed
 *
 * @throws {LayerError} for series of other shapes than the cell takes
 */
export function alongObservations<State extends readonly Value[]>(
  b: Builder,
  cell: ObservedCell<State>,
  theta: Values,
  series: ObservedSeries,
  options: AlongObservationsOptions<NoInfer<State>> = {},
): AlongObservations<State> {
  const { start, direction = "forward", t0 = 0, adjoint = "direct", training = null } = options;
  const places = checkSeries(cell, series);
  const { values, mask, gaps } =
    direction === "forward" ? forward(b, series, t0) : backward(b, series, places, t0);
  const walk: Walk<State> = {
    name: cell.name,
    step(inner, { shared, row: { seen, gap } }, { state }) {
      const evolved = cell.evolve(inner, shared, gap, state, training);
      const any = greater(inner, reduceSum(inner, seen.mask, [1], true), 0);
      const taken = cell.update(inner, shared, seen, evolved);
      return {
        before: cell.read(inner, shared, evolved),
        state: evolved.map((kept, k) => where(inner, any, taken[k]!, kept)) as unknown as State,
      };
    },
    report: ({ before, state: [h] }) => [before, h],
  };
  const column = slice(b, series.times, 1, 0, 1);
  const blank = (width: number) =>
    add(b, zerosLike(b, column), zeros(b, series.times.dtype as "float64", [1, width]));
  const steps = direction === "forward" ? places : places + 1;
  const byPlace = (x: Value) => transpose(b, x, [1, 0, 2]);
  const { end, saved } = runChain(
    b,
    walk,
    {
      start: { before: blank(cell.readWidth), state: start ?? (cell.widths.map(blank) as unknown as State) },
      shared: theta,
      rows: { seen: { values: byPlace(mul(b, values, mask)), mask: byPlace(mask) }, gap: byPlace(gaps) },
      steps,
    },
    { adjoint, save: "every" },
  );
  const observed = (x: Value) => {
    const all = byPlace(x);
    return direction === "forward" ? all : slice(b, all, 1, 0, places);
  };
  return { before: observed(saved[0]!), after: observed(saved[1]!), end: end.state };
}

type Walk<State> = Chain<
  { readonly before: Value; readonly state: State },
  Values,
  { readonly seen: Observation; readonly gap: Value }
>;

interface Rows {
  readonly values: Value;
  readonly mask: Value;
  /** [batch, steps, 1] */
  readonly gaps: Value;
}

/** Observations in order, each with the time since the one before it, and the first with that since t0. */
function forward(b: Builder, { values, mask, times }: ObservedSeries, t0: number): Rows {
  const first = sub(b, slice(b, times, 1, 0, 1), t0);
  return { values, mask, gaps: unsqueeze(b, concat(b, [first, differences(b, times)], 1), [2]) };
}

/** Observations from the last to the first, and t0, where nothing is observed. */
function backward(b: Builder, { values, mask, times }: ObservedSeries, places: number, t0: number): Rows {
  const first = slice(b, times, 1, 0, 1);
  const gaps = concat(b, [zerosLike(b, first), flip(b, differences(b, times), 1), sub(b, first, t0)], 1);
  const withStart = (x: Value) => {
    const turned = flip(b, x, 1);
    return concat(b, [turned, zerosLike(b, slice(b, turned, 1, places - 1, places))], 1);
  };
  return { values: withStart(values), mask: withStart(mask), gaps: unsqueeze(b, gaps, [2]) };
}

/** tₖ − tₖ₋₁, [batch, places − 1] */
function differences(b: Builder, times: Value): Value {
  const places = times.shape[1] as number;
  return sub(b, slice(b, times, 1, 1, places), slice(b, times, 1, 0, places - 1));
}

/** @throws {LayerError} @returns the number of places */
function checkSeries(
  { name, channels }: Pick<ObservedCell, "name" | "channels">,
  { values, mask, times }: ObservedSeries,
): number {
  const places = values.shape[1];
  const fits =
    values.shape.length === 3 &&
    typeof places === "number" &&
    values.shape[2] === channels &&
    mask.shape.join() === values.shape.join() &&
    times.shape.length === 2 &&
    times.shape[1] === places;
  if (fits) return places;
  throw new LayerError(
    `${name} takes series of values and mask [batch, places, ${channels}] at times [batch, places], but was given ` +
      `${showType(values)}, ${showType(mask)} and ${showType(times)}.`,
  );
}
