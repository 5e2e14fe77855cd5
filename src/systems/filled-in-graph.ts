import { type FloatDType, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { maximum, minimum } from "../ops/extrema.js";
import { and, greater, greaterOrEqual, isnan, less, not, or, where } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import { gatherElements } from "../ops/scatter.js";
import { slice } from "../ops/slice.js";
import { concat, gather } from "../ops/slicing.js";

// Series [times, …] of which some values are NaN. Where the next ones are that are not, is found by looking 1, 2, 4, … times
// further: in as many operators as the number of times has binary digits.

/** The values that are there, 0 in the place of the others, and which they are. */
export interface Seen {
  readonly x: Value;
  readonly mask: Value;
}

export function seenOf(b: Builder, series: Value): Seen {
  const mask = not(b, isnan(b, series));
  return { x: where(b, mask, series, 0), mask };
}

/** At each time the number of the last one that was seen up to it, −1 where there is none; and of the next one, or the number of all. */
export function neighbours(b: Builder, { x, mask }: Seen): { readonly last: Value; readonly next: Value } {
  const count = x.shape[0] as number;
  const numbered = column(
    b,
    x,
    Array.from({ length: count }, (_, k) => k),
  );
  let last = where(b, mask, numbered, -1);
  let next = where(b, mask, numbered, count);
  for (let by = 1; by < count; by *= 2) {
    last = maximum(b, last, concat(b, [slice(b, last, 0, 0, by), slice(b, last, 0, 0, count - by)], 0));
    next = minimum(
      b,
      next,
      concat(b, [slice(b, next, 0, by, count), slice(b, next, 0, count - by, count)], 0),
    );
  }
  return { last, next };
}

/** Numbers of times, [times, 1], in the type of x. */
export function column(b: Builder, x: Value, of: readonly number[]): Value {
  return b.constant(tensor(x.dtype as FloatDType, [of.length, 1], of));
}

/** What stands at times of given numbers, in each series by itself; of those that there are not, at the first or the last. */
export function valuesAt(b: Builder, x: Value, at: Value): Value {
  return gatherElements(b, x, within(b, at, x.shape[0] as number), 0);
}

/** The times of given numbers, likewise. */
export function timesAt(b: Builder, times: readonly number[], at: Value): Value {
  const table = b.constant(tensor(at.dtype as FloatDType, [times.length], times));
  return gather(b, table, within(b, at, times.length));
}

function within(b: Builder, at: Value, count: number): Value {
  return cast(b, minimum(b, maximum(b, at, 0), count - 1), "int64");
}

/** What was not seen goes on as it was before; NaN before anything was. */
export function filledByLast(b: Builder, series: Value): Value {
  const seen = seenOf(b, series);
  const { last } = neighbours(b, seen);
  return where(b, greaterOrEqual(b, last, 0), valuesAt(b, seen.x, last), Number.NaN);
}

/** What was not seen lies on a line from the last value to the next one, or is the only one of the two; NaN where there is neither. */
export function filledLinearly(b: Builder, times: readonly number[], series: Value): Value {
  const seen = seenOf(b, series);
  const { last, next } = neighbours(b, seen);
  const [isAfter, isBefore] = [greaterOrEqual(b, last, 0), less(b, next, times.length)];
  const [before, after] = [valuesAt(b, seen.x, last), valuesAt(b, seen.x, next)];
  const [from, to] = [where(b, isAfter, before, after), where(b, isBefore, after, before)];
  const isBetween = and(b, and(b, isAfter, isBefore), greater(b, next, last));
  const start = timesAt(b, times, last);
  const length = where(b, isBetween, sub(b, timesAt(b, times, next), start), 1);
  const slope = div(b, sub(b, to, from), length);
  const along = mul(b, sub(b, column(b, series, times), start), slope);
  return where(b, or(b, isAfter, isBefore), add(b, from, along), Number.NaN);
}
