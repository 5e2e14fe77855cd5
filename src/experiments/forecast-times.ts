import { RevortError } from "../core/errors.js";
import { type Instant, showInstant } from "../storage/iso-time.js";

/** A forecast that makes no sense. */
export class ForecastError extends RevortError {}

/** A time in the units of the data; or a moment, for data whose times are dates. */
export type ForecastTime = number | Instant;

/**
 * A time that is asked for as a number.
 *
 * @param option  how it is typed: "--to"
 * @param at  a moment in the units of the data; `null` where their times are numbers
 * @param own  the times of the data
 * @throws {ForecastError} for a date where times are numbers
 */
export function numberOf(
  option: string,
  time: ForecastTime,
  at: ((moment: Instant) => number) | null,
  own: { readonly first: number; readonly last: number },
): number {
  if (typeof time === "number") return time;
  if (at !== null) return at(time);
  throw new ForecastError(
    `${option} is a date, ${showInstant(time)}, but the times of these data are numbers, from ${own.first} to ${own.last}. Give a number.`,
  );
}

const usualTimes = 400;
const mostTimes = 1_000_000;

/**
 * Where the solve of a forecast starts whose initial state is that of data: where they begin. What comes before --from is solved, but
 * is not among the states.
 *
 * @throws {ForecastError} for a time before the data, at which there is no state, or an end before it, to which the solve has
 *   no way
 */
export function startTime(first: number, from: number, to: number): number {
  if (from > first && to < from) {
    throw new ForecastError(
      `A forecast from ${from} goes forwards, for it is solved from ${first} on, but ends at ${to}. Give a later --to.`,
    );
  }
  if (from >= first) return first;
  throw new ForecastError(
    `The data begin at ${first}, so nothing is known of --from ${from}. Give the state there: --y0.`,
  );
}

/** Times from t0 to the end, both with it. @throws {ForecastError} */
export function timesFrom(t0: number, to: number, every = Math.abs(to - t0) / usualTimes): number[] {
  if (to === t0) {
    throw new ForecastError(`The forecast starts at ${t0}, so --to ${to} leaves nothing to solve.`);
  }
  const count = Math.floor(Math.abs(to - t0) / every + 1e-9);
  if (count > mostTimes) {
    throw new ForecastError(`--every ${every} means ${count} states; give ${mostTimes} at most.`);
  }
  const step = Math.sign(to - t0) * every;
  const times = Array.from({ length: count + 1 }, (_, i) => t0 + i * step);
  const last = times.at(-1)!;
  if (Math.abs(last - to) <= 1e-9 * every) times[count] = to;
  else times.push(to);
  return times;
}
