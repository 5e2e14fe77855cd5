import { DataError } from "./data-error.js";
import { readCell } from "./number-cell.js";

export interface WhitespaceTable {
  /** From the % line above the numbers; there need not be one for each column. */
  readonly names?: readonly string[];
  readonly rows: number[][];
}

/**
 * Numbers in columns set apart by spaces or tabs, as in the data of Schmidt & Lipson 2009. A line that
 * starts with % above the numbers names quantities (there may be fewer names than columns: theirs leave out trial
 * and time); elsewhere it is a comment.
 *
 * @param options.source the name of the file, for messages
 * @throws {DataError} naming source, line, column and remedy
 */
export function parseWhitespaceTable(text: string, { source }: { readonly source: string }): WhitespaceTable {
  let names: string[] | undefined;
  const rows: number[][] = [];
  for (const [index, raw] of text
    .replace(/^\ufeff/, "")
    .split(/\r\n?|\n/)
    .entries()) {
    const content = raw.trim();
    const line = index + 1;
    if (content.startsWith("%")) {
      const words = content.slice(1).split(/\s+/).filter(Boolean);
      if (words.length > 0 && rows.length === 0) names ??= words;
    } else if (content !== "") {
      const row = content.split(/\s+/).map((cell, j) => readNumber(cell, source, line, j));
      const expected = rows[0]?.length ?? row.length;
      if (row.length !== expected) {
        throw new DataError(
          { source, line },
          `it has ${row.length} cells, but the first row has ${expected}; correct the row`,
        );
      }
      rows.push(row);
    }
  }
  if (rows.length === 0)
    throw new DataError({ source }, "it has no rows of numbers; check that it is the right file");
  return names === undefined ? { rows } : { names, rows };
}

function readNumber(text: string, source: string, line: number, index: number): number {
  const cell = readCell(text);
  if (cell.kind === "number") return cell.value;
  const reason = cell.kind === "wrong" ? cell.reason : `${text} is not a number; give one or remove the row`;
  throw new DataError({ source, line, column: `${index + 1}` }, reason);
}
