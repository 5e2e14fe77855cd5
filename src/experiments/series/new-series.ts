import { DataError } from "../../storage/data-error.js";
import type { Stretch } from "./samples.js";
import type { SeriesSet } from "./series-set.js";

/**
 * Trajectories that a run has not seen, from their first observations on.
 *
 * @param countsFirst  whether the first row is an observation like the others, as where initial states are estimated
 * @throws {DataError} for other columns, or a first row with gaps that is to be the initial state
 */
export function newStretches(
  given: SeriesSet,
  known: SeriesSet,
  source: string,
  { countsFirst = false }: { readonly countsFirst?: boolean } = {},
): Stretch[] {
  if (given.observed.join("\n") !== known.observed.join("\n")) {
    throw new DataError(
      { source },
      `it has observations of ${given.observed.join(", ")}, but the run was trained on ${known.observed.join(", ")}; give the same columns`,
    );
  }
  return given.series.map((series, trajectory) => {
    const gap = series.values[0]!.findIndex(Number.isNaN);
    if (gap >= 0 && !countsFirst) {
      throw new DataError(
        { source, column: given.observed[gap]! },
        `the first row of ${series.id} has no value, so it is no initial state; begin with one that has all`,
      );
    }
    const measured = series.times
      .map((_, k) => k)
      .filter((k) => (countsFirst || k > 0) && series.values[k]!.some((value) => !Number.isNaN(value)));
    return { series, trajectory, from: 0, measured };
  });
}
