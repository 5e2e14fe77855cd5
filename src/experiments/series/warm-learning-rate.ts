import type { Scale, Series } from "./series-set.js";

/** How far beyond the mean a column must go to have crossed it, in deviations: noise alone crosses it all the time. */
const beyond = 0.5;
/** Crossings of a hump, which rises and falls again. */
const crossingsOfHump = 2;

/** Learning rate after a warm start: of series that oscillate, and of others. */
const rates = { oscillating: 1e-3, other: 1e-2 };

/**
 * The learning rate after a warm start. What windows have learnt of a long oscillation is lost again in larger updates, after which the
 * fit is a flat line (`docs/decisions/trajectories.md` has numbers). A series that only rises or falls, or does so once, has no
 * such line to fall back to, and is forecast better after larger updates.
 */
export function warmLearningRate(
  series: readonly Pick<Series, "values">[],
  scales: readonly Scale[],
): number {
  const oscillates = series.some((one) =>
    scales.some((scale, j) => crossings(one, j, scale) > crossingsOfHump),
  );
  return oscillates ? rates.oscillating : rates.other;
}

/** How often a column goes from beyond its mean on one side to beyond it on the other. */
function crossings({ values }: Pick<Series, "values">, column: number, { mean, deviation }: Scale): number {
  let [side, count] = [0, 0];
  for (const row of values) {
    const z = (row[column]! - mean) / deviation;
    // a gap is on no side
    if (!(Math.abs(z) > beyond)) continue;
    if (side !== 0 && Math.sign(z) !== side) count++;
    side = Math.sign(z);
  }
  return count;
}
