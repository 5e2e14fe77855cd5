import { SizeError } from "../core/size.js";
import { ShapeError } from "../core/tensor.js";

/** What is written of a time series. */
export interface TimeSeriesTable {
  readonly timeName: string;
  readonly names: readonly string[];
  /** [rows] */
  readonly times: ArrayLike<number>;
  /** Row-major, [rows, columns]; NaN where nothing was observed. */
  readonly values: ArrayLike<number>;
}

/** Characters that a text may have: an engine's strings hold no more. */
const longestText = 2 ** 29 - 64;
/** Characters of a number with all its digits, and what parts it from the next. */
const longestCell = 25;

/**
 * Whether a table could be written as text, for those who are about to compute one.
 *
 * @throws {SizeError} if it is longer than a text can be
 */
export function checkTableSize(rows: number, columns: number): void {
  const cells = rows * (columns + 1);
  if (cells * longestCell <= longestText) return;
  throw new SizeError(
    `A table of ${rows} times and ${columns} components has ${cells} numbers, more than the ` +
      `${Math.floor(longestText / longestCell)} that can be written as text. Save fewer times.`,
  );
}

/**
 * A time series as CSV text, which `parseTimeSeries` reads back to the last bit: each number has the fewest digits
 * that tell it from its neighbours, and a value that was not observed is an empty cell.
 * An infinite value is written as such, and refused when read back.
 *
 * @throws {ShapeError} if there are not rows × columns values
 */
export function formatTimeSeries({ timeName, names, times, values }: TimeSeriesTable): string {
  const columns = names.length;
  if (values.length !== times.length * columns) {
    throw new ShapeError(
      `A table of ${times.length} times and ${columns} columns needs ${times.length * columns} values, ` +
        `but ${values.length} were given.`,
    );
  }
  const lines = [[timeName, ...names].map(quoted).join(",")];
  for (let i = 0; i < times.length; i++) {
    const cells = [formatNumber(times[i]!)];
    for (let j = 0; j < columns; j++) cells.push(formatNumber(values[i * columns + j]!));
    lines.push(cells.join(","));
  }
  return `${lines.join("\n")}\n`;
}

function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "";
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Quoted only where a reader would otherwise take it apart, trim it, or skip it as a comment. */
function quoted(name: string): string {
  return /[",;\t\r\n]|^\s|\s$|^#|^\ufeff/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}
