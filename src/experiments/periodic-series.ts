import { Random } from "../core/random.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import type { Dataset } from "../models/dataset.js";

export const periodicSizes = { places: 100, seen: 50, end: 5 } as const;

/** Of observations, as published. */
export const periodicNoise = 0.01;

/**
 * Sine waves of amplitude 1 with frequencies from U(0.4, 0.8) and phases from U(0, 2π), each at a hundred times of its own
 * in [0, 5], half of which are seen:
 *
 *   values, mask [count, 100, 1] and times [count, 100] of all, with a mask of what is seen;
 *   seenValues [count, 50, 1] and seenTimes [count, 50] of those alone
 *
 * @see Rubanova, Chen & Duvenaud 2019, section 4.1, which leaves frequencies and phases open
 */
export function periodicSeries(
  count: number,
  { seed, dtype }: { readonly seed: number; readonly dtype: FloatDType },
): Dataset {
  const random = Random.seeded(seed);
  const { places, seen, end } = periodicSizes;
  const rows = Array.from({ length: count }, () => {
    const [frequency, phase] = [random.uniform(0.4, 0.8), random.uniform(0, 2 * Math.PI)];
    const times = Array.from({ length: places }, () => random.uniform(0, end)).sort((s, t) => s - t);
    const values = times.map(
      (t) => Math.sin(2 * Math.PI * frequency * t + phase) + periodicNoise * random.normal(),
    );
    const isSeen = new Set(random.permutation(places).slice(0, seen));
    return { times, values, isSeen, own: times.flatMap((_, k) => (isSeen.has(k) ? [k] : [])) };
  });
  const all = (shape: readonly number[], of: (row: (typeof rows)[number]) => readonly number[]) =>
    tensor(dtype, [count, ...shape], rows.flatMap(of));
  return {
    values: all([places, 1], ({ values }) => values),
    mask: all([places, 1], ({ times, isSeen }) => times.map((_, k) => (isSeen.has(k) ? 1 : 0))),
    times: all([places], ({ times }) => times),
    seenValues: all([seen, 1], ({ own, values }) => own.map((k) => values[k]!)),
    seenTimes: all([seen], ({ own, times }) => own.map((k) => times[k]!)),
  };
}
