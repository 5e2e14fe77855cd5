/** How long a solve takes and how far off it ends, at one tolerance. */
export interface WorkPoint {
  readonly error: number;
  readonly seconds: number;
}

/**
 * Seconds that a solver needs for an error: on straight lines between its points in log error and log time, the least of
 * them where they turn back. `null` for an error that lies outside of all.
 *
 * @param points  by falling tolerance
 */
export function secondsAt(points: readonly WorkPoint[], error: number): number | null {
  let least: number | null = null;
  for (let i = 0; i + 1 < points.length; i++) {
    const [a, b] = [points[i]!, points[i + 1]!];
    if (error < Math.min(a.error, b.error) || error > Math.max(a.error, b.error)) continue;
    const span = Math.log(b.error / a.error);
    const share = span === 0 ? 0 : Math.log(error / a.error) / span;
    const seconds = a.seconds * (b.seconds / a.seconds) ** share;
    if (least === null || seconds < least) least = seconds;
  }
  return least;
}

/** A point of one solver of a library, or of one way to call it: "revort, solve". */
export interface WorkRow extends WorkPoint {
  readonly library: string;
  readonly problem: string;
  readonly solver: string;
  readonly tolerance: number;
}

/**
 * The points of each solver of a library, by falling tolerance.
 *
 * @param library  one way to call it, or the library itself for all of them
 */
export function seriesOf(
  rows: readonly WorkRow[],
  problem: string,
  library: string,
): (readonly WorkPoint[])[] {
  const own = rows.filter(
    (row) => row.problem === problem && (row.library === library || row.library.split(",")[0] === library),
  );
  const nameOf = (row: WorkRow) => `${row.library} ${row.solver}`;
  return [...new Set(own.map(nameOf))].map((name) =>
    own.filter((row) => nameOf(row) === name).sort((a, b) => b.tolerance - a.tolerance),
  );
}

/** The times of one library over those of another at equal errors. */
export interface EqualError {
  readonly smallest: number;
  readonly median: number;
  /** where it is smallest */
  readonly error: number;
}

/**
 * Compares two libraries wherever both reach an error, each by its fastest solver there. Errors above a hundredth do not
 * count: that is no solution.
 *
 * @param others  of each solver of the library that is divided, its points by falling tolerance
 * @returns  `null` if there is no error that both reach
 */
export function atEqualError(
  others: readonly (readonly WorkPoint[])[],
  own: readonly (readonly WorkPoint[])[],
): EqualError | null {
  const errors = [...others, ...own].flatMap((points) => points.map(({ error }) => error));
  const [low, high] = [Math.min(...errors), Math.min(largest, Math.max(...errors))];
  const ratios: { ratio: number; error: number }[] = [];
  for (let i = 0; i <= samples; i++) {
    // both ends as they are, not as a power rounds them
    const error = i === 0 ? low : i === samples ? high : low * (high / low) ** (i / samples);
    const [theirs, ours] = [fastest(others, error), fastest(own, error)];
    if (theirs !== null && ours !== null) ratios.push({ ratio: theirs / ours, error });
  }
  ratios.sort((a, b) => a.ratio - b.ratio);
  const [least] = ratios;
  if (least === undefined) return null;
  return { smallest: least.ratio, median: ratios[ratios.length >> 1]!.ratio, error: least.error };
}

const samples = 400;
const largest = 1e-2;

function fastest(solvers: readonly (readonly WorkPoint[])[], error: number): number | null {
  const all = solvers.map((points) => secondsAt(points, error)).filter((seconds) => seconds !== null);
  return all.length === 0 ? null : Math.min(...all);
}
