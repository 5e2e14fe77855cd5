import { type FloatDType, tensor } from "../../core/tensor.js";
import type { Dataset } from "../../models/dataset.js";
import { gridThrough } from "../../programs/grid.js";
import type { Series } from "./series-set.js";

/** A stretch of a trajectory that is solved from one initial state. */
export interface Stretch {
  readonly series: Series;
  /** which trajectory, among those of the data */
  readonly trajectory: number;
  /** the observation that it starts at */
  readonly from: number;
  /** the observations that the loss is of, ascending, from `from` on */
  readonly measured: readonly number[];
}

/** Where a stretch steps. */
interface Steps {
  /** one more than there are steps */
  readonly times: readonly number[];
  /** how many steps lie before each measured observation */
  readonly places: readonly number[];
}

/**
 * Steps of at most `stepSize` that end at each observation on the way, and begin with one of length 0, so that the initial
 * state is among the states that come out.
 */
export function stepsOf({ series, from, measured }: Stretch, stepSize: number): Steps {
  const last = measured.at(-1)!;
  const saves = series.times.slice(from, last + 1);
  const { times, offsets } = gridThrough(saves[0]!, saves, stepSize);
  return { times: [times[0]!, ...times], places: measured.map((k) => offsets[k - from + 1]!) };
}

/** How many steps the longest of some stretches has. */
export function mostSteps(stretches: readonly Stretch[], stepSize: number): number {
  return stretches.reduce((most, one) => Math.max(most, stepsOf(one, stepSize).times.length - 1), 0);
}

export interface SampleShape {
  readonly steps: number;
  readonly stepSize: number;
  /** what is subtracted from times, and what they are told to start at */
  readonly observed: number;
  readonly inputs: number;
  readonly dtype: FloatDType;
  /** the standard deviation of each observed column */
  readonly deviations: readonly number[];
}

/**
 * Stretches as arrays. Each has steps of its own; shorter ones go on with steps of length 0, which no observation is at.
 * Observations lie at the steps that end at them, with their weight: 1, or, where the error σ of the measurement is known,
 * (s/σ)² in the standard deviation s of the column, so that the loss is that of least squares.
 */
export function samplesOf(stretches: readonly Stretch[], shape: SampleShape): Dataset {
  const { steps, stepSize, observed, inputs, dtype, deviations } = shape;
  const count = stretches.length;
  const zeros = (...dims: number[]) => new Float64Array(dims.reduce((p, d) => p * d, count));
  const [t0, h] = [zeros(steps), zeros(steps)];
  const [target, weight] = [zeros(steps, observed), zeros(steps, observed)];
  const [start, slope] = [zeros(steps, inputs), zeros(steps, inputs)];
  const first = zeros(observed);
  for (const [i, stretch] of stretches.entries()) {
    const { series, from, measured } = stretch;
    const { times, places } = stepsOf(stretch, stepSize);
    for (let n = 0; n < steps; n++) {
      const [left, right] = [
        times[Math.min(n, times.length - 1)]!,
        times[Math.min(n + 1, times.length - 1)]!,
      ];
      t0[i * steps + n] = left;
      h[i * steps + n] = right - left;
      for (let j = 0; j < inputs; j++) {
        const at = inputAt(series, j, left);
        start[(i * steps + n) * inputs + j] = at;
        slope[(i * steps + n) * inputs + j] =
          right > left ? (inputAt(series, j, right) - at) / (right - left) : 0;
      }
    }
    for (const [m, k] of measured.entries()) {
      for (let j = 0; j < observed; j++) {
        const value = series.values[k]![j]!;
        const error = series.errors?.[k]?.[j] ?? Number.NaN;
        if (Number.isNaN(value)) continue;
        const at = (i * steps + places[m]!) * observed + j;
        target[at] = value;
        weight[at] = Number.isNaN(error) ? 1 : (deviations[j]! / error) ** 2;
      }
    }
    for (let j = 0; j < observed; j++) first[i * observed + j] = firstValue(series, from, j);
  }
  return {
    first: tensor(dtype, [count, observed], first),
    trajectory: tensor(
      "int64",
      [count],
      stretches.map(({ trajectory }) => BigInt(trajectory)),
    ),
    t0: tensor(dtype, [count, steps], t0),
    h: tensor(dtype, [count, steps], h),
    ...(inputs === 0
      ? {}
      : {
          drive: tensor(dtype, [count, steps, inputs], start),
          drift: tensor(dtype, [count, steps, inputs], slope),
        }),
    target: tensor(dtype, [count, steps, observed], target),
    weight: tensor(dtype, [count, steps, observed], weight),
  };
}

/** What was observed of a column at a time, or, where that is a gap, between its neighbours: a first guess of the state. */
export function firstValue({ times, values }: Series, at: number, column: number): number {
  const known = (k: number) => !Number.isNaN(values[k]![column]!);
  if (known(at)) return values[at]![column]!;
  const all = times.map((_, k) => k).filter(known);
  const after = all.find((k) => k > at);
  const before = all.findLast((k) => k < at);
  if (after === undefined || before === undefined) return values[(after ?? before)!]?.[column] ?? Number.NaN;
  const share = (times[at]! - times[before]!) / (times[after]! - times[before]!);
  return values[before]![column]! * (1 - share) + values[after]![column]! * share;
}

/** An input between its values, linearly; before the first and after the last one it stays as it is. */
export function inputAt(
  { times, inputs }: Pick<Series, "times" | "inputs">,
  column: number,
  t: number,
): number {
  let [low, high] = [0, times.length - 1];
  if (t <= times[low]!) return inputs[low]![column]!;
  if (t >= times[high]!) return inputs[high]![column]!;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= t) low = middle;
    else high = middle;
  }
  const share = (t - times[low]!) / (times[high]! - times[low]!);
  return inputs[low]![column]! * (1 - share) + inputs[high]![column]! * share;
}
