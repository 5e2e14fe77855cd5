import { type CsvError, parse } from "csv-parse/sync";
import { shown } from "../core/printable.js";
import { DataError, type Place } from "./data-error.js";
import { isOneOf } from "./missing-values.js";
import { readCell } from "./number-cell.js";
import { otherTime, unnamedBeside } from "./time-name.js";
import { refuseWords, refuseWordsAsTimes } from "./word-columns.js";

export { formatTimeSeries } from "./csv-format.js";
export { DataError, type Place } from "./data-error.js";

/** Observations of several quantities over time, at any times. */
export interface TimeSeries {
  readonly timeName: string;
  /** Names of the data columns. */
  readonly names: readonly string[];
  /** Strictly increasing, [rows]. */
  readonly times: Float64Array;
  /** Row-major, [rows, columns]; NaN where nothing was observed. */
  readonly values: Float64Array;
  /** 1 where there is a value and 0 where there is none, [rows, columns]. */
  readonly observed: Uint8Array;
  readonly rows: number;
  readonly columns: number;
}

/** One row of a file, and the line it ends on. */
export interface Row {
  readonly cells: readonly string[];
  readonly line: number;
}

export interface TimeSeriesOptions {
  /** the name of the file, for messages */
  readonly source: string;
  /** numbers that stand for a value that was not observed, beside what always does */
  readonly missing?: readonly number[];
}

/**
 * A time series from CSV text: a header, then one row for each time, which is the first column. Columns are
 * separated by commas, semicolons or tabs (whichever the header has most of). Times need not be equally spaced.
 * An empty cell, NA, NaN or null (in any case) is a value that was not observed. Lines that start with # are
 * comments.
 *
 * @throws {DataError} naming source, line, column and remedy
 */
export function parseTimeSeries(text: string, { source, missing = [] }: TimeSeriesOptions): TimeSeries {
  const [header, ...rows] = readRows(text, source);
  if (header === undefined) {
    throw new DataError({ source }, "it has no rows; give a header line and one line for each time");
  }
  const { timeName, names } = readHeader(header, source);
  if (rows.length === 0) {
    throw new DataError(
      { source, line: header.line },
      "there is a header but no data; add a line for each time",
    );
  }
  refuseWordsAsTimes({ name: timeName, cells: rows.map(({ cells }) => cells[0]) }, names, source);
  refuseWords(
    names.map((name, j) => ({ name, cells: rows.map(({ cells }) => cells[j + 1]) })),
    source,
  );
  const columns = names.length;
  const times = new Float64Array(rows.length);
  const values = new Float64Array(rows.length * columns);
  const observed = new Uint8Array(rows.length * columns);
  for (const [i, { cells, line }] of rows.entries()) {
    checkWidth(cells, columns + 1, { source, line });
    times[i] = readTime(cells[0]!, { source, line, column: timeName });
    if (i > 0 && !(times[i]! > times[i - 1]!)) {
      throw new DataError(
        { source, line, column: timeName },
        `the time ${times[i]} does not come after ${times[i - 1]} on line ${rows[i - 1]!.line}; ` +
          "sort the rows by time and keep one for each time",
      );
    }
    for (const [j, column] of names.entries()) {
      const read = readValue(cells[j + 1]!, { source, line, column });
      const value = isOneOf(read, missing) ? Number.NaN : read;
      values[i * columns + j] = value;
      observed[i * columns + j] = Number.isNaN(value) ? 0 : 1;
    }
  }
  for (const [j, column] of names.entries()) {
    if (rows.every((_, i) => observed[i * columns + j] === 0)) {
      throw new DataError({ source, column }, "it has no value in any row; fill it in or remove the column");
    }
  }
  return { timeName, names, times, values, observed, rows: rows.length, columns };
}

/** The rows of a file, without comments and empty lines. @throws {DataError} */
export function readRows(text: string, source: string): Row[] {
  // The parser would count a line that ends with CR LF twice.
  const lines = text.replace(/\r\n?/g, "\n");
  try {
    const records = parse(lines, {
      bom: true,
      comment: "#",
      comment_no_infix: true,
      delimiter: separatorOf(lines),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as { info: { lines: number }; record: string[] }[];
    return records.map(({ info, record }) => ({ cells: record, line: info.lines }));
  } catch (cause) {
    const { message, lines: line } = cause as CsvError & { lines?: number };
    const place = line === undefined ? { source } : { source, line };
    throw new DataError(place, `it is not valid CSV: ${message.slice(0, 200)}; check the quotes`, { cause });
  }
}

/** Of comma, semicolon and tab, the one that the header has most of outside quotes; a comma if it has none. */
function separatorOf(lines: string): string {
  // blanks of its own line only: to look past line ends would take the square of the number of empty lines
  const header = /^[^\S\n]*[^\s#].*$/m.exec(lines.replace(/^\ufeff/, ""))?.[0] ?? "";
  const bare = header.replace(/"[^"]*"/g, "");
  const count = (separator: string): number => bare.split(separator).length - 1;
  return [",", ";", "\t"].reduce((best, separator) => (count(separator) > count(best) ? separator : best));
}

function readHeader({ cells, line }: Row, source: string): { timeName: string; names: readonly string[] } {
  const [first = "", ...names] = cells;
  if (readCell(first).kind === "number") {
    throw new DataError(
      { source, line },
      `the header is missing, for the first row starts with the number ${first}; ` +
        'put the names of the columns on a line above, such as "time,x,y" (with no # before it)',
    );
  }
  if (names.length === 0) {
    throw new DataError(
      { source, line },
      "there is only one column; give the time first and then at least one column of data, " +
        "separated by commas, semicolons or tabs",
    );
  }
  // Tables written with an unnamed index have an empty cell above it.
  const timeName = first === "" ? "time" : first;
  const other = first === "" ? otherTime(first, names) : null;
  if (other !== null) throw new DataError({ source, line, column: other }, unnamedBeside(shown(other)));
  const seen = new Set([timeName]);
  for (const [j, name] of names.entries()) {
    if (name === "") {
      const place = { source, line, column: `${j + 2}` };
      throw new DataError(place, "it has no name; name it, or remove it from every row");
    }
    if (seen.has(name)) {
      throw new DataError({ source, line, column: name }, "two columns have this name; rename one of them");
    }
    seen.add(name);
  }
  return { timeName, names };
}

/** @throws {DataError} unless a row has as many cells as the header */
export function checkWidth(cells: readonly string[], expected: number, place: Place): void {
  if (cells.length === expected) return;
  throw new DataError(
    place,
    `it has ${cells.length} cells, but the header has ${expected}; ` +
      "correct the row (leave a cell empty where nothing was observed)",
  );
}

function readTime(text: string, place: Place): number {
  const cell = readCell(text);
  if (cell.kind === "number") return cell.value;
  if (cell.kind === "wrong" && !/^[+-]?inf/i.test(text)) throw new DataError(place, cell.reason);
  const given = text === "" ? "missing" : `${shown(text)}, which is not a finite number`;
  throw new DataError(place, `the time is ${given}; give it or remove the row`);
}

/** NaN if nothing was observed. */
function readValue(text: string, place: Place): number {
  const cell = readCell(text);
  if (cell.kind === "wrong") throw new DataError(place, cell.reason);
  return cell.kind === "number" ? cell.value : Number.NaN;
}
