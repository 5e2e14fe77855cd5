/** A moment, in seconds since 1970 (UTC). In two parts, since one float64 would hold it to a tenth of a microsecond only. */
export interface Instant {
  readonly seconds: number;
  /** in [0, 1) */
  readonly fraction: number;
}

const pattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?:\s?(Z|[+-]\d{2}(?::?\d{2})?))?)?$/i;

/**
 * An ISO 8601 date, or date and time: 2024-03-01, 2024-03-01T12:30, 2024-03-01 12:30:05.25+01:00. Without an offset it is UTC.
 *
 * @returns `null` for a text that is none, or a day or time that there is not
 */
export function parseInstant(text: string): Instant | null {
  const match = pattern.exec(text.trim());
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0)) as number[];
  const at = Date.UTC(year!, month! - 1, day, hour, minute, second);
  const back = new Date(at);
  const isReal =
    back.getUTCMonth() === month! - 1 &&
    back.getUTCDate() === day &&
    hour! < 24 &&
    minute! < 60 &&
    second! < 60;
  if (!isReal) return null;
  const fraction = match[7] === undefined ? 0 : Number(`0.${match[7]}`);
  return { seconds: at / 1000 - offsetOf(match[8]), fraction };
}

/** +01:30 in seconds. */
function offsetOf(zone: string | undefined): number {
  if (zone === undefined || /z/i.test(zone)) return 0;
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone)!;
  return (sign === "-" ? -1 : 1) * (3600 * Number(hours) + 60 * Number(minutes ?? 0));
}

/** A moment as a date and time of UTC: 2024-03-01T00:00:00Z. */
export function showInstant({ seconds }: Instant): string {
  return new Date(1000 * seconds).toISOString().replace(/\.000Z$/, "Z");
}

/** Seconds from one moment to another. */
export function secondsBetween(from: Instant, to: Instant): number {
  return to.seconds - from.seconds + (to.fraction - from.fraction);
}
