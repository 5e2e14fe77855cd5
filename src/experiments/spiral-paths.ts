import { Random } from "../core/random.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import type { Dataset } from "../models/dataset.js";

/** The angle that is seen of a spiral, a tenth of three turns; as much again is to be predicted. */
export const seenAngle = (6 * Math.PI) / 10;

/** Points at equal distances where predictions are compared, in what is seen and beyond. */
export const comparedPoints = 100;

/** As published, around the spirals. */
export const spiralNoise = 0.3;

/**
 * Half of the spirals turn one way, (r cos θ + 5, r sin θ) with r = 0.3 θ, half the other, (r cos θ − 5, r sin θ) with
 * r = 15 / θ and θ = 6π + 1 − s; s is the angle from 0 to 6π.
 */
function pointOf(way: 0 | 1, s: number): [x: number, y: number] {
  const theta = way === 0 ? s : 6 * Math.PI + 1 - s;
  const [radius, centre] = way === 0 ? [0.3 * s, 5] : [15 / theta, -5];
  return [radius * Math.cos(theta) + centre, radius * Math.sin(theta)];
}

export interface SpiralOptions {
  /** points that are observed of each, at times of its own */
  readonly observed: number;
  readonly seed: number;
  readonly dtype: FloatDType;
}

/**
 * Pieces of spirals from starts of their own: values [count, observed, 2] with noise at times [count, observed] of their own
 * in what is seen, and where they truly are at equal distances in what is seen and beyond, truth [count, 200, 2].
 *
 * @see the generator of Chen et al. 2018, whose observations are at equal distances
 */
export function spiralPieces(count: number, { observed, seed, dtype }: SpiralOptions): Dataset {
  const random = Random.seeded(seed);
  const times = comparedTimes();
  const rows = Array.from({ length: count }, (_, i) => {
    const way = (i % 2) as 0 | 1;
    // as many angles before the piece as it has itself are left out, as published
    const start = random.uniform(seenAngle, 8 * seenAngle);
    const own = Array.from({ length: observed }, () => random.uniform(0, seenAngle)).sort((s, t) => s - t);
    const noisy = own.flatMap((t) => pointOf(way, start + t).map((x) => x + spiralNoise * random.normal()));
    return { own, noisy, truth: times.flatMap((t) => pointOf(way, start + t)) };
  });
  return {
    values: tensor(
      dtype,
      [count, observed, 2],
      rows.flatMap(({ noisy }) => noisy),
    ),
    times: tensor(
      dtype,
      [count, observed],
      rows.flatMap(({ own }) => own),
    ),
    truth: tensor(
      dtype,
      [count, 2 * comparedPoints, 2],
      rows.flatMap(({ truth }) => truth),
    ),
  };
}

/** At equal distances in what is seen, and as many beyond. */
export function comparedTimes(): number[] {
  return Array.from({ length: 2 * comparedPoints }, (_, k) => ((k + 1) * seenAngle) / comparedPoints);
}
