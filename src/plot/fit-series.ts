import type { Layer } from "./description.js";

// What a fit chart shows of one component, by how many observations there are.

/** Above so many observations, symbols would hide each other and make patterns of their own. */
export const mostSymbols = 1000;
/** Ranges that are drawn then: about one for each pixel of a plot. */
const ranges = 250;
/** How far they overlap: without it, waves shorter than a range would make a comb of it. */
const overlap = 3;

/**
 * The observations of one component: a symbol each, or, where there are many, the range of neighbours.
 *
 * @param y  NaN where nothing was observed
 */
export function observedLayer(x: readonly number[], y: readonly number[]): Layer {
  if (x.length <= mostSymbols) return { kind: "points", name: "data", color: "blue", x, y };
  const width = x.length / ranges;
  const buckets = Array.from({ length: ranges + 1 }, (_, i) => {
    const start = Math.max(0, Math.floor((i - overlap / 2) * width));
    const end = Math.min(x.length, Math.ceil((i + overlap / 2) * width));
    const seen = y.slice(start, end).filter((value) => !Number.isNaN(value));
    const none = seen.length === 0 ? Number.NaN : 0;
    return {
      x: x[Math.min(x.length - 1, Math.round(i * width))]!,
      low: none + seen.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
      high: none + seen.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY),
    };
  });
  return {
    kind: "band",
    name: `data, range of each ${Math.round(overlap * width)} neighbours`,
    color: "blue",
    x: buckets.map((bucket) => bucket.x),
    low: buckets.map((bucket) => bucket.low),
    high: buckets.map((bucket) => bucket.high),
  };
}

/** With up to so many steps a fit is interpolated between them, for a smooth line. */
export const fewSteps = 400;
const mostTimes = 20_000;

/** Times at which a fit is drawn: evenly spaced, or the ends of its steps where those are many. */
export function timesToDraw(
  t0: number,
  times: readonly number[],
  steps: readonly number[] | null,
): readonly number[] {
  const end = times.at(-1)!;
  if (steps === null || steps.length <= fewSteps) {
    const count = Math.min(mostTimes, Math.max(fewSteps, 4 * times.length));
    return Array.from({ length: count + 1 }, (_, i) => (i === count ? end : t0 + ((end - t0) * i) / count));
  }
  const each = Math.ceil(steps.length / mostTimes);
  return each === 1 ? steps : steps.filter((_, i) => i % each === 0 || i === steps.length - 1);
}
