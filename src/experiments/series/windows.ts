import { tensor } from "../../core/tensor.js";
import type { Dataset } from "../../models/dataset.js";
import { firstValue, type SampleShape, type Stretch, samplesOf } from "./samples.js";
import type { Scale } from "./series-set.js";

/** A stretch among those that a trajectory is cut into. */
export interface Window extends Stretch {
  /** the window that begins where it ends; its own place where there is none */
  readonly next: number;
}

/**
 * Trajectories cut into windows of `size` gaps between observations; the last observation of a window is the first of the
 * next. What is left over at the end is a window of the last `size` gaps, which overlaps the one before and is linked to none.
 */
export function windowsOf(stretches: readonly Stretch[], size: number): Window[] {
  const windows: Window[] = [];
  for (const { series, trajectory, from, measured } of stretches) {
    const last = measured.at(-1)!;
    const starts: number[] = [];
    for (let start = from; start + size <= last; start += size) starts.push(start);
    if (starts.length === 0) starts.push(from);
    const rest = Math.min(last, starts.at(-1)! + size);
    if (rest < last) starts.push(Math.max(from, last - size));
    for (const [i, start] of starts.entries()) {
      const end = Math.min(last, start + size);
      const own = measured.slice(placeOf(measured, start), placeOf(measured, end + 1));
      // states are wanted where a window ends, whether anything was observed there or not
      if (own.at(-1) !== end) own.push(end);
      const linked = starts[i + 1] === end;
      const place = windows.length;
      const stretch = { series, trajectory, from: start, measured: own };
      windows.push({ ...stretch, next: linked ? place + 1 : place });
    }
  }
  return windows;
}

/** How many of ascending numbers lie before one. */
function placeOf(numbers: readonly number[], limit: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Windows as arrays, with which of them follows on which. */
export function windowSamples(windows: readonly Window[], shape: SampleShape): Dataset {
  const { first: _, trajectory: __, ...arrays } = samplesOf(windows, shape);
  const count = windows.length;
  return {
    ...arrays,
    window: tensor(
      "int64",
      [count],
      windows.map((_, i) => BigInt(i)),
    ),
    next: tensor(
      "int64",
      [count],
      windows.map(({ next }) => BigInt(next)),
    ),
    linked: tensor(
      shape.dtype,
      [count, 1],
      windows.map(({ next }, i) => (next === i ? 0 : 1)),
    ),
  };
}

/** Where windows start, as a first guess: what was observed there, in deviations from the mean; hidden components at 0. */
export function guessedStarts(
  windows: readonly Window[],
  scales: readonly Scale[],
  hidden: number,
): number[] {
  return windows.flatMap(({ series, from }) => [
    ...scales.map(({ mean, deviation }, j) => (firstValue(series, from, j) - mean) / deviation),
    ...Array<number>(hidden).fill(0),
  ]);
}
