import type { PeerRow } from "../peer-targets.js";
import { type Result, type Row, showMeasured, showNumber, showWanted, type Target } from "../result.js";
import { lossesOf, lossList } from "./lost.js";
import { markdownTable, sourceOf } from "./markdown.js";
import { shortPeerTable } from "./peer-table.js";
import { reports } from "./tables.js";

type Results = ReadonlyMap<string, Result>;

/** What README.md says of speed. */
export function readmeSection(results: Results): string {
  const parts = [
    targetsPart(results),
    whiteDwarfPart(results.get("white-dwarf")),
    peersPart(results.get("peers")),
    plotPart(results),
    `### What is still lost, and why\n\n${lossList(lossesOf(results))}`,
  ];
  return parts.filter((part) => part !== null).join("\n\n");
}

/** What benchmarks/README.md says: every table. */
export function benchmarksSection(results: Results): string {
  return Object.entries(reports)
    .flatMap(([name, { title, note, body }]) => {
      const result = results.get(name);
      if (result === undefined) return [];
      const failures = result.failures.map((failure) => `- ${failure}`).join("\n");
      const parts = [
        `## ${title}`,
        note,
        body(result, results),
        failures === "" ? null : `Not measured:\n\n${failures}`,
      ];
      return [...parts.filter((part) => part !== null), sourceOf(result)];
    })
    .join("\n\n");
}

function targetsPart(results: Results): string {
  const targets = Object.keys(reports).flatMap((name) => results.get(name)?.targets ?? []);
  return markdownTable(
    ["what was to be reached", "wanted", "measured", ""],
    targets.map((one) => [one.what, showWanted(one), showMeasured(one), mark(one)]),
  );
}

function mark({ met }: Target): string {
  return met === null ? "–" : met ? "reached" : "**missed**";
}

function whiteDwarfPart(result: Result | undefined): string | null {
  if (result === undefined) return null;
  const gradients = result.rows.filter(({ work }) => work === "gradient");
  const tableaux = [...new Set(gradients.map(({ tableau }) => String(tableau)))];
  const lines = new Map<string, Row[]>();
  for (const row of gradients) {
    const label = `${row.gradient === "direct" ? "stored steps" : row.gradient}, ${row.runtime}`;
    lines.set(label, [...(lines.get(label) ?? []), row]);
  }
  const table = markdownTable(
    ["µs per step", ...tableaux],
    [...lines].map(([label, rows]) => [
      label,
      ...tableaux.map((tableau) => {
        const row = rows.find((one) => one.tableau === tableau);
        return row === undefined ? "" : showNumber(row.usPerStep as number);
      }),
    ]),
  );
  return `### One small trajectory\n\nOne gradient of the white-dwarf experiment (3-10-2 tanh, float64, ${result.settings.steps} steps, forward and backward):\n\n${table}\n\n${sourceOf(result)}`;
}

function peersPart(result: Result | undefined): string | null {
  if (result === undefined) return null;
  const table = shortPeerTable(result.rows as unknown as readonly PeerRow[]);
  return (
    "### Against others\n\nMicroseconds per step, forward and backward, medians of interleaved rounds, each on its better " +
    "number of threads. All of a column compute the same loss and gradient norm; `coupled` steps do twice the work of " +
    `\`midpoint\` ones. Every row is in [benchmarks/README.md](benchmarks/README.md).\n\n${table}\n\n${sourceOf(result)}`
  );
}

function plotPart(results: Results): string | null {
  const plots = [
    { name: "scaling", alt: "time and memory over steps" },
    { name: "work-precision", alt: "error over time" },
  ].filter(({ name }) => results.has(name));
  if (plots.length === 0) return null;
  const shown = plots.map(({ name, alt }) => `![${alt}](benchmarks/results/${name}.svg)`);
  return `### Over the number of steps, and at equal error\n\n${shown.join("\n\n")}`;
}
