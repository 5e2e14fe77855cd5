import { shown } from "../core/printable.js";

// Numbers that stand for "nothing was measured": which there are by all appearances, and which are said to be.

/** A number of a column that stands, by all appearances, for a value that is missing. */
export interface SentinelWarning {
  readonly code: "sentinel";
  readonly column: string;
  readonly value: number;
  /** cells of the column that have it, and cells that have a number at all */
  readonly count: number;
  readonly of: number;
  readonly message: string;
}

/** Numbers that files of measurements have for nothing, beside rows of nines: limits of integers and floats, and fill values. */
const fillValues: readonly number[] = [
  ...[32_767, -32_767, -32_768, 65_535, 2_147_483_647, -2_147_483_647, -2_147_483_648, 4_294_967_295],
  // netCDF's, which are those of HDF as well: 15 · 2^119 is 9.97e36
  ...[15 * 2 ** 119, -(2 ** 63), 2 ** 63],
  ...[3.402823466385288e38, -3.402823466385288e38, Number.MAX_VALUE, -Number.MAX_VALUE],
];

/** 1e20, −1e30 and the like, as float32 has them or exactly: nothing that is measured is so large and so round. */
const isRoundAndLarge = (value: number) =>
  Math.abs(value) >= 1e19 && /^-?1\.0*e/.test(value.toExponential(6));

/** As written with the digits that float32 has, of numbers that went through it. */
const inFloat32 = (value: number) => Number(value.toPrecision(7));

function isNines(value: number, digits: number): boolean {
  const pattern = new RegExp(`^-?9{${digits},}(\\.9+)?$`);
  return [value, inFloat32(value)].some((each) => pattern.test(String(each)));
}

function isFillValue(value: number): boolean {
  if (isRoundAndLarge(value)) return true;
  // limits of integers to the last digit; others to those that are usually written, as in 9.96921e36
  const isNear = (fill: number) => Math.abs(fill) > 1e15 && Math.abs(value / fill - 1) <= 1e-5;
  return fillValues.some((fill) => value === fill || isNear(fill));
}

/** Whether a number is one that files of measurements have for nothing. */
export function isUsualSentinel(value: number): boolean {
  return isNines(value, 2) || isFillValue(value);
}

/**
 * The numbers that stand for missing values in the columns of a table, by all appearances: a usual sentinel, more than once
 * in the table, far outside the rest of its column. Far is further from the rest than the rest is wide (three times as far for
 * 99 and −99), or, for −999 and the like, the only negative number.
 *
 * @param valuesOf  the numbers of a column; NaN where there is none
 * @param remedy  what to do where such a number does stand for a missing value
 */
export function sentinelsIn(
  names: readonly string[],
  valuesOf: (column: number) => Iterable<number>,
  remedy = (given: string) => `leave these cells empty, or say --missing ${given}`,
): SentinelWarning[] {
  const columns = names.map((_, j) => countsOf(valuesOf(j)));
  const inAll = new Map<number, number>();
  for (const counts of columns) {
    for (const [value, count] of counts) {
      if (isUsualSentinel(value)) inAll.set(value, (inAll.get(value) ?? 0) + count);
    }
  }
  if (inAll.size === 0) return [];
  return columns.flatMap((counts, j) => {
    const rest = [...counts.keys()].filter((value) => !inAll.has(value));
    const of = [...counts.values()].reduce((sum, count) => sum + count, 0);
    return [...counts]
      .filter(([value]) => (inAll.get(value) ?? 0) > 1 && isFar(value, rest))
      .map(([value, count]) => warningOf(names[j]!, value, { count, of, remedy }));
  });
}

function countsOf(values: Iterable<number>): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) if (!Number.isNaN(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** @param rest  the other numbers of the column, each once */
function isFar(value: number, rest: readonly number[]): boolean {
  // what has one or two values is switched between them
  if (rest.length < 3) return false;
  const least = rest.reduce((low, other) => Math.min(low, other));
  const most = rest.reduce((high, other) => Math.max(high, other));
  const gap = value < least ? least - value : value - most;
  const isLong = !isNines(value, 2) || isNines(value, 3);
  return gap > (isLong ? 1 : 3) * (most - least) || (isLong && value < 0 && least >= 0);
}

function warningOf(
  column: string,
  value: number,
  { count, of, remedy }: { count: number; of: number; remedy: (given: string) => string },
): SentinelWarning {
  const given = shortest(value);
  return {
    ...{ code: "sentinel", column, value, count, of },
    message:
      `${shown(column)} is ${given} in ${count} of ${of} cells, far outside the rest of the column: such a number usually stands ` +
      `for a missing value, but is fitted like the others. If it does, ${remedy(given)}.`,
  };
}

/** With as few digits as tell it, or its float32, from others. */
function shortest(value: number): string {
  for (let digits = 1; digits <= 17; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (isOneOf(value, [Number(text)])) return text;
  }
  return String(value);
}

/** Numbers that were said to stand for missing values, of which no cell has one. */
export function unusedNote(missing: readonly number[], isFound: (one: number) => boolean): string[] {
  const unused = missing.filter((one) => !isFound(one));
  return unused.length === 0
    ? []
    : [`No cell has ${unused.join(" or ")}, so that --missing says nothing of it.`];
}

/** Whether a number is one of some, or what float32 makes of one of them. */
export function isOneOf(value: number, given: readonly number[]): boolean {
  return given.some((one) => value === one || value === Math.fround(one));
}
