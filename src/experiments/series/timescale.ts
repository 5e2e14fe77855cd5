import type { Scale, Series } from "./series-set.js";

/** Pairs of observations of a trajectory that are looked at. */
const mostPairs = 20_000;
const bins = 40;

/**
 * The time τ in which states change by about their deviation: the least one at which, for some component,
 *
 *   mean |y(t + τ) − y(t)|² ≥ s²
 *
 * half of what it is for times that have nothing to do with each other. Unlike a mean of slopes, it does not take noise
 * between two close observations for motion. It lies between the median gap and the whole time.
 */
export function timescaleOf(series: readonly Series[], scales: readonly Scale[], shortest: number): number {
  const longest = Math.max(...series.map(({ times }) => times.at(-1)! - times[0]!));
  if (!(longest > shortest)) return longest;
  const ratio = Math.log(longest / shortest) / bins;
  const found = scales.map(({ deviation }, j) => {
    const [sums, counts] = [Array<number>(bins + 1).fill(0), Array<number>(bins + 1).fill(0)];
    for (const { times, values } of series) {
      const reach = Math.max(1, Math.floor(mostPairs / times.length));
      for (let i = 0; i < times.length; i++) {
        for (let k = i + 1; k < times.length; k += 1 + Math.floor((k - i) / reach)) {
          const apart = (values[k]![j]! - values[i]![j]!) / deviation;
          const bin = Math.floor(Math.log((times[k]! - times[i]!) / shortest) / ratio);
          if (Number.isNaN(apart) || bin < 0) continue;
          sums[bin] = sums[bin]! + apart * apart;
          counts[bin] = counts[bin]! + 1;
        }
      }
    }
    const bin = sums.findIndex((sum, b) => counts[b]! >= 5 && sum / counts[b]! >= 1);
    return bin < 0 ? longest : shortest * Math.exp(ratio * (bin + 0.5));
  });
  return Math.min(longest, Math.max(shortest, Math.min(...found)));
}
