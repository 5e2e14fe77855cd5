/** Shifts tried for one slope, each half the one before. */
const mostShifts = 12;

/** A slope from differences, and by how much it may be off. */
export interface Slope {
  readonly slope: number;
  readonly uncertainty: number;
}

/**
 * The slope of a function at 0 from central differences, by Ridders' extrapolation to shifts of 0:
 *
 *   D₀ = (f(h) − f(−h)) / 2h,   Dⱼ(h) = (4ʲ Dⱼ₋₁(h) − Dⱼ₋₁(2h)) / (4ʲ − 1)
 *
 * The estimate is the one that differs least from its neighbours: larger shifts see the function bend, smaller ones
 * its rounding. Shifts at which the function is not finite are left out.
 *
 * @param largest  the first shift, h
 * @returns the slope, NaN if the function is finite at no shift, and how far it is from its neighbours
 * @see Ridders 1982, Advances in Engineering Software 4(2)
 */
export async function slopeAtZero(f: (shift: number) => Promise<number>, largest: number): Promise<Slope> {
  let best = Number.NaN;
  let least = Number.POSITIVE_INFINITY;
  let previous: number[] = [];
  for (let i = 0; i < mostShifts; i++) {
    const h = largest / 2 ** i;
    const row = [((await f(h)) - (await f(-h))) / (2 * h)];
    if (!Number.isFinite(row[0])) continue;
    if (Number.isNaN(best)) best = row[0]!;
    for (let j = 1; j <= previous.length; j++) {
      row.push((4 ** j * row[j - 1]! - previous[j - 1]!) / (4 ** j - 1));
      const error = Math.max(Math.abs(row[j]! - row[j - 1]!), Math.abs(row[j]! - previous[j - 1]!));
      if (error <= least) [least, best] = [error, row[j]!];
    }
    // from here on it is rounding that grows
    if (previous.length > 1 && Math.abs(row.at(-1)! - previous.at(-1)!) >= 2 * least) break;
    previous = row;
  }
  return { slope: best, uncertainty: least };
}
