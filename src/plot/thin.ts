/** Points in order; a point with a coordinate that is not finite breaks the line. */
export interface Points {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

/**
 * The indices of the points worth drawing, in order. Up to `limit` points all are kept. Beyond, the series is cut
 * into buckets of neighbours, and each keeps its first and last point, those where x and y are least and greatest,
 * and one break if it has any: the drawn line has the same envelope and the same gaps, and phase portraits, whose x
 * turns back, keep their outline.
 */
export function thin({ x, y }: Points, limit: number): number[] {
  const length = x.length;
  if (length <= limit) return Array.from({ length }, (_, i) => i);
  const perBucket = 7;
  const buckets = Math.max(1, Math.floor(limit / perBucket));
  const kept: number[] = [];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const start = Math.floor((bucket * length) / buckets);
    const end = Math.floor(((bucket + 1) * length) / buckets);
    kept.push(...landmarks(x, y, start, end));
  }
  return kept;
}

function landmarks(x: ArrayLike<number>, y: ArrayLike<number>, start: number, end: number): number[] {
  let gap: number | undefined;
  let marks:
    | { first: number; last: number; left: number; right: number; low: number; high: number }
    | undefined;
  for (let i = start; i < end; i++) {
    if (!Number.isFinite(x[i]) || !Number.isFinite(y[i])) {
      gap ??= i;
    } else if (marks === undefined) {
      marks = { first: i, last: i, left: i, right: i, low: i, high: i };
    } else {
      marks.last = i;
      if (x[i]! < x[marks.left]!) marks.left = i;
      if (x[i]! > x[marks.right]!) marks.right = i;
      if (y[i]! < y[marks.low]!) marks.low = i;
      if (y[i]! > y[marks.high]!) marks.high = i;
    }
  }
  const indices = new Set(marks === undefined ? [] : Object.values(marks));
  if (gap !== undefined) indices.add(gap);
  return [...indices].sort((a, b) => a - b);
}
