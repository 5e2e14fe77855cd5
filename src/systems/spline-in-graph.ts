import { region } from "../autodiff/region.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { scan } from "../ops/control.js";
import { zerosLike } from "../ops/generate.js";
import { matmul } from "../ops/linalg.js";
import { less, or, where } from "../ops/logic.js";
import { reshape } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { concat, gather, split } from "../ops/slicing.js";
import { inverseNearDiagonal } from "./banded.js";
import { column, neighbours, type Seen, seenOf, timesAt, valuesAt } from "./filled-in-graph.js";
import { naturalThrough } from "./interpolation.js";

// Natural cubic splines through series [times, …]. With m the second derivatives at the knots, h the lengths of intervals and s the
// slopes in them, m₀ = mₙ = 0 and
//
//   h_k−1 m_k−1 + 2 (h_k−1 + h_k) m_k + h_k m_k+1 = 6 (s_k − s_k−1)

/** Rows of a matrix that are multiplied at a time. */
const rowsAtOnce = 64;

/**
 * a, b, c and d of each interval, [intervals, …], of series without gaps. Of few times, by one matrix to all of them; of more, by
 * second derivatives, whose matrix grows with the number of times, as does the work.
 */
export function splineThrough(b: Builder, times: readonly number[], series: Value): Value[] {
  if (times.length > rowsAtOnce) return bentBetween(b, times, series, bendsOf(b, times, series));
  const all = times.map((_, k) => k);
  const columns = all.map((k) =>
    naturalThrough(
      times,
      all.map((i) => (i === k ? 1 : 0)),
      all,
    ),
  );
  const intervals = all.slice(1);
  // [4 intervals, times]: powers one after the other
  const rows = [0, 1, 2, 3].flatMap((power) =>
    intervals.map((k) => columns.map((cubics) => cubics[k - 1]![power]!)),
  );
  const matrix = tensor(series.dtype as FloatDType, [rows.length, times.length], rows.flat());
  const sizes = rows.slice(0, 4).map(() => intervals.length);
  return split(b, matmul(b, b.constant(matrix), series), 0, sizes);
}

/**
 * m at all knots, [times, …]. The inverse of their matrix has nothing but rounding far from its diagonal, so it is taken in blocks
 * along that.
 */
function bendsOf(b: Builder, times: readonly number[], series: Value): Value {
  const dtype = series.dtype as FloatDType;
  const h = lengthsOf(times);
  const none = zerosLike(b, slice(b, series, 0, 0, 1));
  const inner = h.length - 1;
  const { from, entries } = inverseNearDiagonal(
    h.slice(1).map((next, k) => [h[k]!, 2 * (h[k]! + next), next] as const),
  );
  const slopes = mul(
    b,
    difference(b, series),
    column(
      b,
      series,
      h.map((length) => 1 / length),
    ),
  );
  const right = mul(b, difference(b, slopes), 6);
  const blocks = Array.from({ length: Math.ceil(inner / rowsAtOnce) }, (_, i) => {
    const first = i * rowsAtOnce;
    const rows = Array.from({ length: Math.min(rowsAtOnce, inner - first) }, (_, k) => first + k);
    return {
      rows,
      start: Math.min(...rows.map((row) => from[row]!)),
      end: Math.max(...rows.map((row) => from[row]! + entries[row]!.length)),
    };
  });
  const width = Math.max(...blocks.map(({ start, end }) => end - start));
  const height = blocks[0]!.rows.length;
  const starts = blocks.map(({ start }) => Math.min(start, inner - width));
  const matrices = new Float64Array(blocks.length * height * width);
  for (const [i, { rows }] of blocks.entries()) {
    for (const [k, row] of rows.entries()) {
      matrices.set(entries[row]!, (i * height + k) * width + from[row]! - starts[i]!);
    }
  }
  const near = starts.flatMap((start) => Array.from({ length: width }, (_, k) => BigInt(start + k)));
  const product = matmul(
    b,
    b.constant(tensor(dtype, [blocks.length, height, width], matrices)),
    gather(b, right, b.constant(tensor("int64", [blocks.length, width], near))),
  );
  const bends = slice(b, reshape(b, product, [blocks.length * height, -1]), 0, 0, inner);
  return concat(b, [none, bends, none], 0);
}

/** a, b, c and d of each interval from m at its ends. */
function bentBetween(b: Builder, times: readonly number[], series: Value, bends: Value): Value[] {
  const [count, h] = [times.length - 1, lengthsOf(times)];
  const length = column(b, series, h);
  const [from, to] = [slice(b, bends, 0, 0, count), slice(b, bends, 0, 1, count + 1)];
  const slope = div(b, difference(b, series), length);
  return [slice(b, series, 0, 0, count), ...curved(b, slope, length, from, to)];
}

/** b, c and d: of slope s over h, and second derivatives at the ends. */
function curved(b: Builder, slope: Value, length: Value, from: Value, to: Value): [Value, Value, Value] {
  return [
    sub(b, slope, div(b, mul(b, length, add(b, mul(b, from, 2), to)), 6)),
    mul(b, from, 0.5),
    div(b, sub(b, to, from), mul(b, length, 6)),
  ];
}

/**
 * The same through the values that are not NaN: others in each series, which so have matrices of their own. These are eliminated
 * from the first time to the last, and back; a time at which a series was not seen has no row in its matrix. Before and after
 * all that was seen, the first and the last value go on.
 */
export function splineThroughSeen(b: Builder, times: readonly number[], series: Value): Value[] {
  const count = times.length - 1;
  const seen = withEnds(b, seenOf(b, series));
  const { last, next } = neighbours(b, seen);
  // the values around each interval
  const [p, q] = [slice(b, last, 0, 0, count), slice(b, next, 0, 1, count + 1)];
  const [xp, xq] = [valuesAt(b, seen.x, p), valuesAt(b, seen.x, q)];
  const start = timesAt(b, times, p);
  const h = sub(b, timesAt(b, times, q), start);
  const slope = div(b, sub(b, xq, xp), h);
  const bends = bendsAtSeen(b, seen.mask, h, slope);
  const [own, bend, twist] = curved(b, slope, h, valuesAt(b, bends, p), valuesAt(b, bends, q));
  // the polynomial around p, in the time since this knot
  const tau = sub(b, column(b, series, times.slice(0, -1)), start);
  const third = mul(b, mul(b, twist, tau), 3);
  return [
    add(b, xp, mul(b, tau, add(b, own, mul(b, tau, add(b, bend, mul(b, tau, twist)))))),
    add(b, own, mul(b, tau, add(b, mul(b, bend, 2), third))),
    add(b, bend, third),
    twist,
  ];
}

/** With the first value before it and the last one after it; NaN where there is none at all. */
function withEnds(b: Builder, seen: Seen): Seen {
  const { x, mask } = seen;
  const count = x.shape[0] as number;
  const { last, next } = neighbours(b, seen);
  const first = slice(b, next, 0, 0, 1);
  const end = slice(b, last, 0, count - 1, count);
  const numbered = column(
    b,
    x,
    Array.from({ length: count }, (_, k) => k),
  );
  const isEarly = less(b, numbered, first);
  const isLate = less(b, end, numbered);
  const before = where(b, less(b, first, count), valuesAt(b, x, first), Number.NaN);
  return {
    x: where(b, isEarly, before, where(b, isLate, valuesAt(b, x, end), x)),
    mask: or(b, mask, or(b, isEarly, isLate)),
  };
}

/** m at the knots that were seen, [times, …]. */
function bendsAtSeen(b: Builder, mask: Value, h: Value, slope: Value): Value {
  const count = h.shape[0] as number;
  const none = zerosLike(b, slice(b, h, 0, 0, 1));
  if (count === 1) return concat(b, [none, none], 0);
  const inner = eliminated(b, {
    isRow: slice(b, mask, 0, 1, count),
    before: slice(b, h, 0, 0, count - 1),
    after: slice(b, h, 0, 1, count),
    right: mul(b, difference(b, slope), 6),
  });
  return concat(b, [none, inner, none], 0);
}

/** A system of some of the times between the first and the last, each [times, …]. */
interface System {
  /** whether there is a row for a time */
  readonly isRow: Value;
  /** h to the row before and to the one after, for the rows that there are */
  readonly before: Value;
  readonly after: Value;
  readonly right: Value;
}

/**
 * What solves it, 0 where there is no row. The matrix is symmetric and does not depend on what is interpolated, so cotangents of the
 * right side are what solves the same system with those of the solution there.
 */
function eliminated(b: Builder, { isRow, before, after, right }: System): Value {
  return region(b, [isRow, before, after, right], {
    name: "tridiagonal system",
    build: (inner, [rows, left, next, r]) => ({
      outputs: [solved(inner, { isRow: rows!, before: left!, after: next!, right: r! })],
    }),
    pull: (scope, { inputs: [rows, left, next] }, [cotangent]) => [
      ...[null, null, null],
      eliminated(scope, { isRow: rows!, before: left!, after: next!, right: cotangent! }),
    ],
  })[0]!;
}

function solved(b: Builder, { isRow, before, after, right }: System): Value {
  const zero = reshape(b, zerosLike(b, slice(b, right, 0, 0, 1)), [-1]);
  const diagonal = mul(b, add(b, before, after), 2);
  const { scans: eliminations } = scan(
    b,
    { carried: [zero, zero], inputs: [isRow, before, after, diagonal, right] },
    (inner, [above, value], [is, below, next, own, r]) => {
      const pivot = sub(inner, own!, mul(inner, below!, above!));
      const results = [
        where(inner, is!, div(inner, next!, pivot), above!),
        where(inner, is!, div(inner, sub(inner, r!, mul(inner, below!, value!)), pivot), value!),
      ];
      return { carried: results, scans: results };
    },
  );
  const { scans } = scan(
    b,
    { carried: [zero], inputs: [...eliminations, isRow], reverse: true },
    (inner, [following], [above, value, is]) => {
      const own = where(inner, is!, sub(inner, value!, mul(inner, above!, following!)), following!);
      return { carried: [own], scans: [own] };
    },
  );
  return where(b, isRow, scans[0]!, 0);
}

function difference(b: Builder, x: Value): Value {
  const count = x.shape[0] as number;
  return sub(b, slice(b, x, 0, 1, count), slice(b, x, 0, 0, count - 1));
}

function lengthsOf(times: readonly number[]): number[] {
  return times.slice(1).map((time, k) => time - times[k]!);
}
