import type { Instant } from "../../storage/iso-time.js";

/** One trajectory: observations at times of its own. */
export interface Series {
  /** what it is called: its value in the column of names, or its file */
  readonly id: string;
  /** strictly increasing */
  readonly times: readonly number[];
  /** [times][observed]; NaN where nothing was observed */
  readonly values: readonly (readonly number[])[];
  /** standard deviations of the measurements, likewise; NaN where none is known. `null` without such columns */
  readonly errors: readonly (readonly number[])[] | null;
  /** [times][inputs], without gaps: what drives the field */
  readonly inputs: readonly (readonly number[])[];
}

/** Trajectories of one system. */
export interface SeriesSet {
  readonly time: {
    readonly name: string;
    readonly unit: string;
    /** the moment that times are told from, where the data have dates */
    readonly origin?: Instant | null;
  };
  /** names of what is observed */
  readonly observed: readonly string[];
  /** names of what drives the field */
  readonly inputs: readonly string[];
  readonly series: readonly Series[];
}

/** Mean and standard deviation of a quantity over all trajectories. */
export interface Scale {
  readonly mean: number;
  readonly deviation: number;
}

/** Mean and standard deviation of each column over all times of all trajectories, in units of which fields and losses are. */
export function scalesOf(rows: readonly (readonly number[])[], columns: number): Scale[] {
  return Array.from({ length: columns }, (_, j) => {
    const seen = rows.map((row) => row[j]!).filter((value) => !Number.isNaN(value));
    // in units of the largest, so that squares stay among the numbers
    const largest = seen.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    const mean = seen.reduce((sum, value) => sum + value / largest, 0) / Math.max(1, seen.length);
    const variance =
      seen.reduce((sum, value) => sum + (value / largest - mean) ** 2, 0) / Math.max(1, seen.length);
    // rounding alone makes the values of a constant column differ from their mean
    const deviation = variance > 1e-24 ? Math.sqrt(variance) : 1;
    return { mean: mean * largest, deviation: deviation * largest };
  });
}

/** The median of the times between observations, over all trajectories. */
export function medianGap(series: readonly Pick<Series, "times">[]): number {
  const gaps = series
    .flatMap(({ times }) => times.slice(1).map((time, i) => time - times[i]!))
    .sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length / 2)] ?? 1;
}
