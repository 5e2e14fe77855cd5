import { tensor } from "../core/tensor.js";
import type { Trajectories } from "../train/data.js";

export interface MeasuredSeriesOptions {
  /** those of the state; time is column 1 */
  readonly columns: readonly number[];
  /** times at equal distances, the start included */
  readonly points: number;
  readonly duration: number;
  /** what the columns are divided by */
  readonly scale: number;
}

/**
 * A measured trajectory at equal distances from its first time on, linearly between rows, in order of time.
 *
 * @param rows  those of Schmidt & Lipson's files: trial, time, …
 */
export function measuredSeries(
  rows: readonly (readonly number[])[],
  { columns, points, duration, scale }: MeasuredSeriesOptions,
): Trajectories {
  const start = rows.reduce((least, row) => Math.min(least, row[1]!), Number.POSITIVE_INFINITY);
  const ordered = rows
    .map((row) => [row[1]! - start, ...columns.map((column) => row[column]!)])
    .sort((a, b) => a[0]! - b[0]!);
  const grid = Array.from({ length: points }, (_, i) => (i * duration) / (points - 1));
  const states = grid.map((t) => interpolate(ordered, t).map((value) => value / scale));
  return {
    t0: 0,
    times: grid.slice(1),
    y0: tensor("float64", [1, columns.length], states[0]!),
    observations: tensor("float64", [points - 1, 1, columns.length], states.slice(1).flat()),
  };
}

/** Columns 1 … of a table at a value of column 0, linearly between rows. */
function interpolate(rows: readonly (readonly number[])[], t: number): number[] {
  const after = rows.findIndex((row) => row[0]! >= t);
  if (after <= 0) return [...rows.at(after)!.slice(1)];
  const [left, right] = [rows[after - 1]!, rows[after]!];
  const share = (t - left[0]!) / (right[0]! - left[0]!);
  return left.slice(1).map((value, i) => value + share * (right[i + 1]! - value));
}
