import { comparisonColumns } from "../../src/cli/bench/table.js";
import type { ExperimentRow } from "../experiments/contest.js";
import type { PeerRow } from "../peer-targets.js";
import { type Result, type Row, showMeasured, showNumber, showWanted, type Target } from "../result.js";
import { atEqualError, seriesOf, type WorkRow } from "../work-precision/equal-error.js";
import { shortExperimentTable } from "./experiment-table.js";
import { lossesOf, lossList } from "./lost.js";
import { markdownTable, sourceOf } from "./markdown.js";
import { shortPeerTable } from "./peer-table.js";
import { reports } from "./tables.js";

type Results = ReadonlyMap<string, Result>;

/** What README.md says of speed, beside other libraries: of steps, and of updates of the experiments. */
export function readmeSection(results: Results): string {
  const result = results.get("peers");
  if (result === undefined) return "Not measured.";
  const rows = (result.rows as unknown as readonly PeerRow[]).filter(
    ({ gradient }) => gradient === "reversible" || gradient === "direct",
  );
  const experiments = experimentsPart(results.get("experiment-peers"));
  return [shortPeerTable(rows), sourceOf(result), experiments].filter((part) => part !== null).join("\n\n");
}

/** What docs/numbers.md says of speed. */
export function numbersSection(results: Results): string {
  const parts = [
    targetsPart(results),
    whiteDwarfPart(results.get("white-dwarf")),
    peersPart(results.get("peers")),
    experimentsPart(results.get("experiment-peers")),
    equalErrorPart(results.get("work-precision")),
    runtimesPart(results.get("runtimes")),
    plotPart(results),
    `### Missed targets, and why\n\n${lossList(lossesOf(results))}`,
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
    ["benchmark", "target", "measured", ""],
    targets.map((one) => [one.what, showWanted(one), showMeasured(one), mark(one)]),
  );
}

function mark({ met }: Target): string {
  return met === null ? "–" : met ? "reached" : "**missed**";
}

/** One model on every runtime. */
function runtimesPart(result: Result | undefined): string | null {
  if (result === undefined) return null;
  const headings = Object.keys(comparisonColumns);
  const rows = result.rows.filter(({ batch, gradientUs }) => batch === 16 && gradientUs !== null);
  const table = markdownTable(
    headings.map((heading) => (heading === "of the gradient" ? "error of the gradient" : heading)),
    rows.map((row) => headings.map((heading) => comparisonColumns[heading]!(row as never))),
  );
  return (
    "### On every runtime\n\n16 states of a perceptron 2-32-32-2 in float32, in Node and in a page in Chromium (`page/…`, whose GPU " +
    "is one in software here); `npx tsx scripts/bench.ts MODEL.onnx` makes this table, and a plot, of a model of yours.\n\n" +
    `${table}\n\n${sourceOf(result)}`
  );
}

function whiteDwarfPart(result: Result | undefined): string | null {
  if (result === undefined) return null;
  const gradients = result.rows.filter(({ work }) => work === "gradient");
  const tableaux = [...new Set(gradients.map(({ tableau }) => String(tableau)))];
  const lines = new Map<string, Row[]>();
  for (const row of gradients) {
    const label = `${row.gradient === "direct" ? "backprop through stored steps" : row.gradient}, ${row.runtime}`;
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
    "### Against other libraries\n\nMicroseconds per step, forward and backward, medians of interleaved rounds, each on its " +
    "better number of threads. All rows of a column agree on loss and gradient norm; `coupled` steps do twice the work of " +
    "`midpoint` ones. `direct` is backprop through stored steps. diffrax has no reversible adjoint: those rows are our add-on " +
    "to it. Plain JAX (`lax.scan`) is in no target; PyTorch runs eagerly. Every row is in " +
    `\`benchmarks/README.md\`.\n\n${table}\n\n${sourceOf(result)}`
  );
}

/** Updates of the experiments, beside the fastest of the others. */
function experimentsPart(result: Result | undefined): string | null {
  if (result === undefined) return null;
  const table = shortExperimentTable(result.rows as unknown as readonly ExperimentRow[]);
  return (
    "### The experiments, at their published sizes\n\nAn update, and the largest memory of its process, each on its better number of " +
    "threads. All rows agree on loss and gradient. The experiment's own way undoes coupled steps, which evaluate the field twice as " +
    "often as plain ones. Every row is in `benchmarks/README.md`.\n\n" +
    `${table}\n\n${sourceOf(result)}`
  );
}

/** How many times as long others take at equal error, at least; for each of the two ways in which revort solves. */
function equalErrorPart(result: Result | undefined): string | null {
  if (result === undefined) return null;
  const rows = result.rows as unknown as readonly WorkRow[];
  const problems = [...new Set(rows.map(({ problem }) => problem))];
  const ways = ["revort, solve", "revort, whole solve"];
  const others = ["diffrax", "SciPy"];
  const cells = problems.map((problem) =>
    ways.flatMap((way) =>
      others.map((other) => {
        const found = atEqualError(seriesOf(rows, problem, other), seriesOf(rows, problem, way));
        return found === null ? "–" : `${showNumber(found.smallest)}×`;
      }),
    ),
  );
  const headings = ["`solve()`", "exported graph"].flatMap((way) =>
    others.map((other) => `${way}, ${other}`),
  );
  const table = markdownTable(
    ["adaptive steps", ...headings],
    problems.map((problem, i) => [problem, ...cells[i]!]),
  );
  return (
    "### At equal error\n\nTime of the other library over that of revort, at the error where it is smallest: of the public " +
    "`solve()` with all that a call costs, and of the whole solve as one graph, as it is exported.\n\n" +
    `${table}\n\n${sourceOf(result)}`
  );
}

function plotPart(results: Results): string | null {
  const plots = [
    { name: "scaling", alt: "time and memory over steps" },
    { name: "work-precision", alt: "error over time" },
  ].filter(({ name }) => results.has(name));
  if (plots.length === 0) return null;
  const shown = plots.map(({ name, alt }) => `![${alt}](../benchmarks/results/${name}.svg)`);
  return `### Over the number of steps, and over the error\n\n${shown.join("\n\n")}`;
}
