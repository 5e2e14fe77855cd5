/** Where a command writes. Passed in, so that tests can read it. */
export interface Console {
  /** results: plain text, or JSON alone */
  readonly stdout: NodeJS.WritableStream;
  /** everything else: progress, notes, warnings, errors */
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** aborted by Ctrl-C */
  readonly signal: AbortSignal;
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
