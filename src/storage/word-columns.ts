import { shown } from "../core/printable.js";
import { DataError } from "./data-error.js";
import { isOtherDate, isWord } from "./number-cell.js";
import { otherTime } from "./time-name.js";

/** A column, and what its cells hold. */
export interface Column {
  readonly name: string;
  readonly cells: readonly unknown[];
}

/**
 * Refuses a column of words, such as labels or remarks, among those that are read as numbers.
 *
 * @throws {DataError} saying how to leave it out
 */
export function refuseWords(columns: readonly Column[], source: string): void {
  const wordy = columns.filter(holdsWords);
  const [first] = wordy;
  if (first === undefined) return;
  const others = columns.filter((column) => !wordy.includes(column)).map(({ name }) => name);
  const word = first.cells.find((cell) => typeof cell === "string" && isWord(cell)) as string;
  const remedy =
    others.length === 0
      ? "give a column of numbers"
      : `remove it, leave it out with --observe ${others.join(",")}, or, if it says which trajectory a row belongs to, name it with --trajectory ${shown(first.name)}`;
  throw new DataError(
    { source, column: first.name },
    `it holds words, such as ${shown(word)}, and no number; ${remedy}`,
  );
}

/**
 * Refuses a column of words where times are wanted, such as the names of trajectories in front of them.
 *
 * @param others  the names of the other columns
 * @throws {DataError} saying how to name it
 */
export function refuseWordsAsTimes(column: Column, others: readonly string[], source: string): void {
  const word = column.cells.find((cell) => typeof cell === "string" && isWord(cell)) as string | undefined;
  if (word === undefined || isOtherDate(word) || !holdsWords(column)) return;
  const times = otherTime(column.name, others);
  throw new DataError(
    { source, column: column.name },
    `it holds words, such as ${shown(word)}, where times are wanted; if it says which trajectory a row belongs to, name it with ` +
      `--trajectory ${shown(column.name)}, and the times with --time${times === null ? "" : ` ${shown(times)}`}`,
  );
}

/** Whether all that stands in a column, and something does, are words. */
function holdsWords({ cells }: Column): boolean {
  const filled = cells.filter((cell) => cell !== null && cell !== undefined && String(cell).trim() !== "");
  return filled.length > 0 && filled.every((cell) => typeof cell === "string" && isWord(cell));
}
