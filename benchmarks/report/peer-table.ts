import type { PeerRow } from "../peer-targets.js";
import { showNumber } from "../result.js";
import { markdownTable } from "./markdown.js";

const cases: Readonly<Record<string, string>> = {
  "white-dwarf": "white dwarf: 1 × 2, 3-10-2, float64, 1000 losses",
  small: "16 × 2, 2-32-32-2, float32",
  large: "512 × 2, 2-64-64-2, float32",
};
const kinds = ["reversible", "direct", "checkpoint", "continuous"];

/** All contenders of peers.ts that compute a gradient: a column for each case and number of threads. */
export function fullPeerTable(rows: readonly PeerRow[]): string {
  const gradients = rows.filter(({ work }) => work === "gradient");
  const columns = Object.keys(cases).flatMap((name) =>
    threadsOf(gradients, name).map((threads) => ({ name, threads })),
  );
  const lines = linesOf(gradients, ({ variant }) => variant);
  return markdownTable(
    ["", ...columns.map(({ name, threads }) => `${cases[name]}; ${threads} thread${threads > 1 ? "s" : ""}`)],
    lines.map(([label, own]) => [
      label,
      ...columns.map(({ name, threads }) =>
        show(own.filter((row) => row.case === name && row.threads === threads)),
      ),
    ]),
  );
}

/** The same in short: of each library and kind of gradient the fastest, on however many threads. */
export function shortPeerTable(rows: readonly PeerRow[]): string {
  const gradients = rows.filter(({ work }) => work === "gradient");
  const names = Object.keys(cases).filter((name) => gradients.some((row) => row.case === name));
  return markdownTable(
    ["", ...names.map((name) => cases[name]!)],
    linesOf(gradients, ({ library, variant }) => (library === "revort" ? null : variant)).map(
      ([label, own]) => [label, ...names.map((name) => showBest(own.filter((row) => row.case === name)))],
    ),
  );
}

/** Updates: gradient, optimiser, loss on the host. */
export function updateTable(rows: readonly PeerRow[]): string {
  const updates = rows.filter(({ work }) => work === "update").sort((a, b) => a.usPerStep - b.usPerStep);
  return markdownTable(
    ["", "µs per step", "threads"],
    updates.map((row) => [labelOf(row, row.variant), showNumber(row.usPerStep), String(row.threads)]),
  );
}

/** Lines of a table, by kind of gradient, ours first; `variant` says what is told apart. */
function linesOf(
  rows: readonly PeerRow[],
  variant: (row: PeerRow) => string | null,
): (readonly [string, PeerRow[]])[] {
  const lines = new Map<string, PeerRow[]>();
  const rank = (row: PeerRow) => kinds.indexOf(row.gradient) * 2 + (row.library === "revort" ? 0 : 1);
  for (const row of [...rows].sort((a, b) => rank(a) - rank(b))) {
    const label = labelOf(row, variant(row));
    lines.set(label, [...(lines.get(label) ?? []), row]);
  }
  return [...lines];
}

function labelOf({ library, scheme, gradient }: PeerRow, variant: string | null): string {
  const who = library === "revort" ? `**${library}**` : library;
  const how = [scheme, gradient, ...(variant === null ? [] : [variant])].join(", ");
  return `${who}, ${how}`;
}

function threadsOf(rows: readonly PeerRow[], name: string): number[] {
  const own = rows.filter((row) => row.case === name).map(({ threads }) => threads);
  return [...new Set(own)].sort((a, b) => a - b);
}

function show([row]: readonly PeerRow[]): string {
  return row === undefined ? "" : showNumber(row.usPerStep);
}

function showBest(rows: readonly PeerRow[]): string {
  if (rows.length === 0) return "";
  const best = rows.reduce((least, row) => (row.usPerStep < least.usPerStep ? row : least));
  const on = best.library === "revort" ? [best.variant] : [];
  const threads = best.threads > 1 ? [`${best.threads} threads`] : [];
  const how = [...on, ...threads].join(", ");
  return how === "" ? showNumber(best.usPerStep) : `${showNumber(best.usPerStep)} (${how})`;
}
