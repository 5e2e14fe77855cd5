import type { Chart, Layer, Line } from "../plot/chart.js";
import type { Runtime } from "../runtime/runtime.js";

/** What a figure is made with. */
export interface FigureContext {
  readonly runtime: Runtime;
  /** λ of the coupled methods; the one published for the figure if `null` */
  readonly coupling: number | null;
  /** says how far the work has come: `done` of `total` parts */
  readonly progress: (done: number, total: number) => void;
}

/** A figure of McCallum & Foster's paper: how it is drawn, and the numbers behind it. */
export interface FigureResult {
  readonly chart: Chart;
  /** plain JSON: every number that is drawn, and those that a README quotes */
  readonly data: object;
}

export interface Figure {
  readonly name: string;
  /** one line on what it shows and where it comes from */
  readonly about: string;
  readonly make: (context: FigureContext) => FigureResult | Promise<FigureResult>;
}

/** A line with a symbol at each of its points, which are few. */
export function marked(line: Line): Layer[] {
  const { dashed: _, ...points } = line;
  return [line, { ...points, kind: "points" }];
}

/** Slope of log y over log x by least squares: the measured order of a power law. */
export function logLogSlope(x: readonly number[], y: readonly number[]): number {
  const [u, v] = [x.map(Math.log), y.map(Math.log)];
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mu, mv] = [mean(u), mean(v)];
  const covariance = u.reduce((sum, ui, i) => sum + (ui - mu) * (v[i]! - mv), 0);
  return covariance / u.reduce((sum, ui) => sum + (ui - mu) ** 2, 0);
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}
