import { rounded } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import { countsFromStart } from "../programs/clock.js";
import { type Grid, gridWith } from "../programs/grid.js";

/** How the graphs of a solve that chooses its steps count its time: t = origin + count. */
export interface Counting {
  readonly origin: number;
  /** The count of a time, rounded as the graph has it. */
  readonly of: (time: number) => number;
  readonly timeOf: (count: number) => number;
}

/** The counting of a solve from t0 on. */
export function countingFrom(dtype: FloatDType, t0: number): Counting {
  const origin = countsFromStart(dtype) ? t0 : 0;
  return {
    origin,
    of: (time) => rounded(dtype, time - origin),
    timeOf: (count) => origin + count,
  };
}

/**
 * The grid that steps between given times and hits every save. A given time that is a save in this dtype, as the times of
 * a solve in float32 are, is not hit a second time beside it.
 *
 * @throws {TimeError} for times out of order, or outside of the solve
 */
export function givenGrid(
  dtype: FloatDType,
  t0: number,
  saves: readonly number[],
  times: readonly number[],
): Grid {
  const { of } = countingFrom(dtype, t0);
  const saved = new Set([t0, ...saves].map(of));
  return gridWith(
    t0,
    saves,
    times.filter((time) => !saved.has(of(time))),
  );
}

/** Times that are one to the graph: the count of them, and which they are, by index. */
export interface Stop {
  readonly count: number;
  readonly saves: readonly number[];
}

/**
 * Where a solve has to stop for some times, in order: times with the same count share a stop, as several of one value do.
 * Those that count as the start are apart, for they take no step.
 */
export function stopsFor(
  counting: Counting,
  t0: number,
  times: readonly number[],
): { readonly atStart: readonly number[]; readonly stops: readonly Stop[] } {
  const start = counting.of(t0);
  const atStart: number[] = [];
  const stops: { count: number; saves: number[] }[] = [];
  for (const [i, time] of times.entries()) {
    const count = counting.of(time);
    if (stops.length === 0 && count === start) atStart.push(i);
    else if (stops.at(-1)?.count === count) stops.at(-1)!.saves.push(i);
    else stops.push({ count, saves: [i] });
  }
  return { atStart, stops };
}
