import { Random } from "../core/random.js";
import { type FloatDType, type Tensor, tensor } from "../core/tensor.js";

/** 0, 1, … 63 */
export const pathTimes: readonly number[] = Array.from({ length: 64 }, (_, k) => k);

/** The step in which paths are simulated. */
const fine = 0.1;

export interface OuOptions {
  readonly seed: number;
  readonly dtype: FloatDType;
  /** the share of values that are missing, and put on a line between those beside them; with 0 at the start */
  readonly missing: number;
}

/**
 * Paths of an Ornstein–Uhlenbeck process with a drift and a diffusion that grow in time,
 *
 *   dy = (0.02 t − 0.1 y) dt + (0.8 t / 63) dW,   y(0) ~ U(−1, 1)
 *
 * by Euler and Maruyama's method in steps of 0.1, at the times 0, 1, … 63.
 *
 * @returns [paths, 64, 1]
 * @see Kidger et al. 2021, "Neural SDEs as infinite-dimensional GANs", arXiv:2102.03657, as diffrax's example has it
 */
export function ouPaths(count: number, { seed, dtype, missing }: OuOptions): Tensor {
  const random = Random.seeded(seed);
  const steps = Math.round(1 / fine);
  const rows = Array.from({ length: count }, () => {
    let y = random.uniform(-1, 1);
    const observed = pathTimes.map((end) => {
      for (let i = 0; i < (end === 0 ? 0 : steps); i++) {
        const t = end - 1 + i * fine;
        y += (0.02 * t - 0.1 * y) * fine + ((0.8 * t) / 63) * Math.sqrt(fine) * random.normal();
      }
      return missing > 0 && random.uniform() < missing ? null : y;
    });
    return filled(observed);
  });
  return tensor(dtype, [count, pathTimes.length, 1], rows.flat());
}

/** Values at 0, 1, …, those that are missing on the line between their neighbours; the last one stays to the end. */
function filled(values: readonly (number | null)[]): number[] {
  const known = values.flatMap((value, t) => (value === null ? (t === 0 ? [0] : []) : [t]));
  const at = (t: number) => values[t] ?? 0;
  return values.map((value, t) => {
    if (value !== null) return value;
    const before = known.findLast((k) => k <= t)!;
    const after = known.find((k) => k > t);
    if (after === undefined || before === t) return at(before);
    return at(before) + ((at(after) - at(before)) * (t - before)) / (after - before);
  });
}
