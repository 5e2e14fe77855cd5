import { shown } from "../core/printable.js";
import { checkWidth, readRows } from "./csv.js";
import { DataError } from "./data-error.js";
import { readCell } from "./number-cell.js";

/** Numbers in rows, under named columns. */
export interface Table {
  readonly names: readonly string[];
  readonly rows: readonly (readonly number[])[];
}

/**
 * A table of numbers from CSV text: a header, then rows in any order, every cell a number.
 *
 * @param options.columns  how many there must be
 * @throws {DataError} naming source, line, column and remedy
 */
export function parseTable(
  text: string,
  { source, columns }: { readonly source: string; readonly columns: number },
): Table {
  const [header, ...rows] = readRows(text, source);
  if (header === undefined || rows.length === 0) {
    throw new DataError({ source }, "it has no rows; give a header line and one line for each row");
  }
  const { cells: names, line } = header;
  if (names.length !== columns) {
    throw new DataError({ source, line }, `it has ${names.length} columns, but ${columns} are wanted`);
  }
  if (names.every((name) => readCell(name).kind === "number")) {
    throw new DataError(
      { source, line },
      "the header is missing; put the names of the columns on a line above",
    );
  }
  return {
    names,
    rows: rows.map(({ cells, line: at }) => {
      checkWidth(cells, columns, { source, line: at });
      return cells.map((text, j) => {
        const cell = readCell(text);
        if (cell.kind === "number") return cell.value;
        const given = text === "" ? "missing" : `${shown(text)}, which is not a finite number`;
        throw new DataError(
          { source, line: at, column: names[j]! },
          `the number is ${given}; give it or remove the row`,
        );
      });
    }),
  };
}
