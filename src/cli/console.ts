/** Where a command writes. Passed in, so that tests can read it. */
export interface Console {
  /** results: plain text, or JSON alone */
  readonly stdout: NodeJS.WritableStream;
  /** everything else: progress, notes, warnings, errors */
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** From the first call on, Ctrl-C no longer ends the process: it aborts this signal. */
  readonly stopSignal: () => AbortSignal;
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

/** Text from a file, without what would move a terminal's cursor or change its colours. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}
