import { shown } from "../core/printable.js";

/** What a cell of a table may hold: a number, nothing, or a reason why it is neither. */
export type Cell =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "missing" }
  | { readonly kind: "wrong"; readonly reason: string };

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const missing = /^(?:|na|nan|null)$/i;
const infinite = /^[+-]?inf(?:inity)?$/i;
const decimalComma = /^[+-]?\d*,\d+(?:e[+-]?\d+)?$/i;

const dayMonthYear = /^(?:\d{1,2}([/.-])\d{1,2}\1\d{2}(?:\d{2})?|\d{4}([/.])\d{1,2}\2\d{1,2})(?:[T ,]|$)/;
const month = /\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\b/i;

/** Whether a cell holds what looks like a date, in another form than that of ISO 8601: 01/02/2024, 1.2.24, 1 Feb 2024. */
export function isOtherDate(text: string): boolean {
  const trimmed = text.trim();
  return dayMonthYear.test(trimmed) || (month.test(trimmed) && /\b\d{1,2}\b/.test(trimmed));
}

/** Whether a cell holds a word: something that begins with a letter, and is neither infinite nor a sign for "not observed". */
export function isWord(text: string): boolean {
  const trimmed = text.trim();
  return /^\p{L}/u.test(trimmed) && !missing.test(trimmed) && !infinite.test(trimmed);
}

/** A decimal number, or one of the usual signs for "not observed" (empty, NA, NaN, null). Nothing is guessed. */
export function readCell(text: string): Cell {
  const trimmed = text.trim();
  if (missing.test(trimmed)) return { kind: "missing" };
  if (decimal.test(trimmed)) {
    const value = Number(trimmed);
    if (Number.isFinite(value)) return { kind: "number", value };
    return {
      kind: "wrong",
      reason: `${trimmed.length > 40 ? `${trimmed.slice(0, 40)}…` : trimmed} is beyond what float64 can hold; rescale the column`,
    };
  }
  const given = shown(trimmed);
  if (infinite.test(trimmed)) {
    return {
      kind: "wrong",
      reason: `${given} is not finite; correct it, or leave the cell empty if nothing was observed`,
    };
  }
  if (isOtherDate(trimmed)) {
    return {
      kind: "wrong",
      reason: `${given} looks like a date; dates are written as in ISO 8601, year, month, day: 2024-02-01, or 2024-02-01T12:30`,
    };
  }
  if (decimalComma.test(trimmed)) {
    return { kind: "wrong", reason: `${given} has a decimal comma; write numbers with a decimal point` };
  }
  return {
    kind: "wrong",
    reason: `${given} is not a number; correct it, or leave the cell empty if nothing was observed`,
  };
}
