import { tensor } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { type MlpOptions, mlp } from "../fields/mlp.js";
import { rescaled } from "../fields/rescaled.js";
import type { Value } from "../graph/graph.js";
import { type Loss, mse, scaledLoss } from "../learning/losses.js";
import { adamw } from "../learning/optimisers.js";
import { cosine } from "../learning/schedules.js";
import { reshape } from "../ops/reshape.js";
import type { TimeSeries } from "../storage/csv.js";
import { DataError } from "../storage/data-error.js";
import { type SentinelWarning, sentinelsIn } from "../storage/missing-values.js";
import type { Experiment } from "./experiment.js";
import type { Scale, Series } from "./series/series-set.js";
import { timescaleOf } from "./series/timescale.js";
import { warmLearningRate } from "./series/warm-learning-rate.js";

/** The unit of what a user brings. */
export const asInFile = "as in the file";

/** Mean and standard deviation of each column, over what was observed. */
export interface ColumnScale {
  readonly shift: readonly number[];
  readonly scale: readonly number[];
}

/** What was observed of a column, in order. */
function observedIn({ values, columns, rows }: TimeSeries, column: number): number[] {
  const all = Array.from({ length: rows }, (_, row) => values[row * columns + column]!);
  return all.filter((value) => !Number.isNaN(value));
}

/** Numbers that stand for missing values, by all appearances. */
export function sentinelsOf(series: TimeSeries): SentinelWarning[] {
  return sentinelsIn(series.names, (column) => observedIn(series, column));
}

export function columnScale(series: TimeSeries): ColumnScale {
  const moments = Array.from({ length: series.columns }, (_, column) => {
    const seen = observedIn(series, column);
    // in units of the largest, so that squares stay among the numbers
    const largest = seen.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    const mean = seen.reduce((sum, value) => sum + value / largest, 0) / seen.length;
    const variance = seen.reduce((sum, value) => sum + (value / largest - mean) ** 2, 0) / seen.length;
    // rounding alone makes the values of a constant column differ from their mean
    const deviation = variance > 1e-24 ? Math.sqrt(variance) : 1;
    return { mean: mean * largest, deviation: deviation * largest };
  });
  return { shift: moments.map(({ mean }) => mean), scale: moments.map(({ deviation }) => deviation) };
}

/** What a perceptron is unless something else is asked for. */
export const usualWidths: readonly number[] = [32, 32];

/** A series as one of the trajectories that fits of several are of, and the scales of its columns. */
function asTrajectory(table: TimeSeries): { readonly series: Series; readonly scales: readonly Scale[] } {
  const { times, values, columns, names } = table;
  const rows = Array.from(times, (_, i) => Array.from(values.subarray(i * columns, (i + 1) * columns)));
  const { shift, scale } = columnScale(table);
  return {
    series: { id: "", times: [...times], values: rows, errors: null, inputs: rows.map(() => []) },
    scales: names.map((_, j) => ({ mean: shift[j]!, deviation: scale[j]! })),
  };
}

/** The time in which the columns of a series change by about their deviation. */
export function timescaleIn(table: TimeSeries): number {
  const { series, scales } = asTrajectory(table);
  return timescaleOf([series], scales, medianGap(table.times));
}

/** The learning rate of a fit to a series after a warm start. */
export function warmLearningRateIn(table: TimeSeries): number {
  const { series, scales } = asTrajectory(table);
  return warmLearningRate([series], scales);
}

/**
 * A perceptron in the units of a series: its inputs and outputs are scaled to order one inside.
 *
 * @param timescale  τ, in whose units its rates are of order one; the whole time by default
 */
export function perceptronFor(
  series: TimeSeries,
  options: Pick<MlpOptions, "hidden" | "activation" | "time">,
  timescale: number | null,
): VectorField {
  const [start, end] = [series.times[0]!, series.times.at(-1)!];
  const inner = mlp({ ...options, dim: series.columns, components: series.names });
  const own = timescale === null ? {} : { timescale };
  return rescaled(inner, { ...columnScale(series), start, rate: 1 / (end - start), ...own });
}

export interface OwnDataOptions {
  /** whether the initial state is trained and the first row an observation like the others */
  readonly fitsStart?: boolean;
}

/**
 * A user's own time series as an experiment: one trajectory from the first row on. Where the first row has gaps, the
 * first observation of the column stands in as a first guess, and the initial state is trained as well. With equations it
 * always is unless that is refused: the first row has errors like any other, and parameters would be wrong by them.
 *
 * Nothing is known of what the data are about: the gradient is chosen by what is at stake, which means backpropagation
 * through the steps of the plain method wherever they fit into memory. A coupled method is stable on fields that damp
 * only with steps that are very small.
 *
 * The loss is taken in standard deviations of each column, so that columns of any size count alike.
 *
 * @throws {DataError} if there are fewer than two rows
 */
export function ownData(
  name: string,
  series: TimeSeries,
  { fitsStart = false }: OwnDataOptions = {},
): Experiment & { readonly trainY0: boolean } {
  const { times, values, columns, rows, names, timeName } = series;
  if (rows < 2) {
    throw new DataError(
      { source: name },
      `there is ${rows} row, but training needs two times or more; add rows`,
    );
  }
  const at = (row: number) => Array.from(values.subarray(row * columns, (row + 1) * columns));
  const first = at(0);
  const gaps = first.some(Number.isNaN);
  const y0 = first.map((value, column) => (Number.isNaN(value) ? observedIn(series, column)[0]! : value));
  const kept = Array.from({ length: rows }, (_, row) => row).slice(gaps || fitsStart ? 0 : 1);
  const { scale } = columnScale(series);
  return {
    name,
    about: `${rows} times of ${listed(names)}`,
    needs: null,
    trainY0: gaps,
    warnings: sentinelsOf(series),
    time: { name: timeName, unit: asInFile },
    unit: asInFile,
    lossUnit: "in standard deviations of each column",
    lossScale: scale,
    protocol: {
      // twice the evaluations of midpoint, and a fit does not come to depend on its errors
      solver: "rk4",
      coupling: 0.999,
      gradient: "auto",
      stepSize: Math.max(medianGap(times) / 2, (times.at(-1)! - times[0]!) / mostSteps),
      dtype: "float64",
      steps: 1000,
      loss: (chosen = mse()) => byColumn(scaledLoss(chosen, scale), columns),
      schedule: (steps) => cosine({ steps }),
      optimiser: ({ learningRate = 1e-2, weightDecay = 0 }) => adamw({ learningRate, weightDecay }),
    },
    field: () => perceptronFor(series, { hidden: usualWidths }, null),
    data: () => ({
      t0: times[0]!,
      times: kept.map((row) => times[row]!),
      y0: tensor("float64", [1, columns], y0),
      observations: tensor("float64", [kept.length, 1, columns], kept.flatMap(at)),
    }),
  };
}

/** The loss of a series, [saves, columns], for states of any shape that hold one. */
function byColumn(loss: Loss, columns: number): Loss {
  return {
    name: loss.name,
    apply(b, prediction, target, weight) {
      const rows = (value: Value) => reshape(b, value, [value.shape[0] as number, columns]);
      if (prediction.shape.at(-1) === columns) return loss.apply(b, prediction, target, weight);
      return loss.apply(b, rows(prediction), rows(target), weight && rows(weight));
    },
  };
}

/** Columns that are listed by name. */
const shownNames = 20;

function listed(names: readonly string[]): string {
  const more = names.length - shownNames;
  return more <= 0 ? names.join(", ") : `${names.slice(0, shownNames).join(", ")} and ${more} more`;
}

/** A few crowded times among far ones must not make every update slow; each gap has a step of its own anyway. */
const mostSteps = 10_000;

function medianGap(times: Float64Array): number {
  const gaps = Array.from(times.subarray(1), (time, i) => time - times[i]!).sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length / 2)]!;
}
