import { RevortError } from "../../core/errors.js";

/** Equations that cannot be read. The message says what is wrong and where; `excerpt` shows it, with a caret under the place. */
export class EquationError extends RevortError {
  /** the line of the text, and under it a line with a caret at the place */
  readonly excerpt: string;

  /**
   * @param at  index of the place in the text
   * @param width  how many characters there are wrong
   */
  constructor(text: string, at: number, message: string, width = 1) {
    const start = text.lastIndexOf("\n", at - 1) + 1;
    const end = text.indexOf("\n", at);
    const line = text.slice(start, end < 0 ? text.length : end);
    // a character may be two code units
    const before = Array.from(text.slice(start, at)).length;
    const line1 = start === 0 && end < 0 ? "" : `line ${text.slice(0, start).split("\n").length}, `;
    super(`The equations cannot be read at ${line1}character ${before + 1}: ${message}`);
    this.excerpt = windowed(line, before, width);
  }
}

/** Characters of a line that are shown. */
const shownWidth = 100;

function windowed(line: string, before: number, width: number): string {
  const characters = Array.from(line);
  const from = Math.max(0, Math.min(before - shownWidth / 2, characters.length - shownWidth));
  const part = characters
    .slice(from, from + shownWidth)
    .join("")
    .replace(/\s/g, " ");
  const carets = "^".repeat(Math.max(1, Math.min(width, shownWidth - (before - from))));
  return `${part}\n${" ".repeat(before - from)}${carets}`;
}
