import { DataError, type Place } from "../../storage/data-error.js";
import { type Instant, secondsBetween, showInstant } from "../../storage/iso-time.js";

/** Units of time that dates and times can be told in, in seconds. */
export const timeUnits = { s: 1, min: 60, h: 3600, d: 86_400 } as const;
export type TimeUnit = keyof typeof timeUnits;

/** How the times of a table are told. */
export interface Clock {
  readonly at: (time: number | Instant, place: Place) => number;
  readonly unit: string;
  /** the moment that times are told from, of dates */
  readonly origin: Instant | null;
  readonly notes: readonly string[];
}

/** A moment in units since another. */
export function timeSince(origin: Instant, moment: Instant, unit: string): number {
  return secondsBetween(origin, moment) / timeUnits[unit as TimeUnit];
}

/**
 * Times as numbers: as they are, or as the time since the first date of all in a unit.
 *
 * @param known  the origin and unit of the data of a run, by which its other data go as well
 * @throws {DataError} for a unit of what are numbers already
 */
export function clockOf(
  groups: ReadonlyMap<string, readonly { readonly time: number | Instant }[]>,
  asked: TimeUnit | null,
  source: string,
  known: Pick<Clock, "origin" | "unit"> | null = null,
): Clock {
  const rows = [...groups.values()].flat();
  const instants = rows.map(({ time }) => time).filter((time) => typeof time !== "number");
  if (instants.length === 0) {
    if (asked !== null)
      throw new DataError({ source }, "its times are numbers, whose unit is theirs; leave out --time-unit");
    return { at: (time) => time as number, unit: "as in the file", origin: null, notes: [] };
  }
  const origin =
    known?.origin ?? instants.reduce((first, time) => (secondsBetween(first, time) < 0 ? time : first));
  const longest = Math.max(
    ...[...groups.values()].map((own) =>
      own.reduce(
        (most, { time }) => (typeof time === "number" ? most : Math.max(most, secondsBetween(origin, time))),
        0,
      ),
    ),
  );
  const unit =
    ((known?.origin ? known.unit : null) as TimeUnit | null) ??
    asked ??
    (longest >= 3 * timeUnits.d ? "d" : longest >= 3 * timeUnits.h ? "h" : longest >= 600 ? "min" : "s");
  return {
    ...{ unit, origin },
    at(time, place) {
      if (typeof time !== "number") return timeSince(origin, time, unit);
      throw new DataError(place, "its time is a number, but others are dates; write all of them in one way");
    },
    notes: [
      `Times are in ${unit} since ${showInstant(origin)}${asked === null ? " (--time-unit chooses another unit)" : ""}; dates without an offset count as UTC.`,
    ],
  };
}
