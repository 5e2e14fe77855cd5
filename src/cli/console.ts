import { oneLine, printableJson, printableLines } from "../core/printable.js";
import type { ProgressStream } from "./progress.js";

/** What takes a command's text. */
export interface TextStream {
  write(text: string): unknown;
}

/** What a command runs on. Passed in, so that tests can read it. */
export interface Streams {
  /** results: plain text, or JSON alone */
  readonly stdout: TextStream;
  /** everything else: progress, notes, warnings, errors */
  readonly stderr: TextStream & ProgressStream;
  /** From the first call on, Ctrl-C no longer ends the process: it aborts this signal. */
  readonly stopSignal: () => AbortSignal;
}

/**
 * Where a command writes. What would act on a terminal is escaped, wherever the text comes from; line ends and tabs stay,
 * but in a note, which is one line. (So a name within a longer text needs `printable` as well.)
 */
export interface Console {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** a line on stderr */
  readonly note: (text: string) => void;
  /** stderr as it is, for what moves the cursor: a bar. Nothing that comes from a file goes there. */
  readonly bar: ProgressStream;
  /** a line of JSON on stdout */
  readonly json: (value: unknown) => void;
  readonly stopSignal: () => AbortSignal;
}

/** Where a bar begins, without what was drawn there. */
const startOfLine = "\r\u001b[K";

export function consoleOn({ stdout, stderr, stopSignal }: Streams): Console {
  let drawn = false;
  /** What comes while a bar is drawn takes its place; the bar is drawn anew below. */
  const safe = (stream: TextStream, spelled: (text: string) => string) => (text: string) => {
    if (drawn) stderr.write(startOfLine);
    drawn = false;
    return stream.write(spelled(text));
  };
  return {
    stdout: { write: safe(stdout, printableLines) },
    stderr: { write: safe(stderr, printableLines) },
    note: safe(stderr, (text) => `${oneLine(text)}\n`),
    bar: {
      write(text) {
        drawn = !text.endsWith("\n");
        return stderr.write(text);
      },
      get isTTY() {
        return stderr.isTTY === true;
      },
      get columns() {
        return stderr.columns ?? 0;
      },
    },
    json: (value) => stdout.write(`${printableJson(value)}\n`),
    stopSignal,
  };
}

/** Columns of text, right-aligned but for the first, as people read tables in a terminal. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
