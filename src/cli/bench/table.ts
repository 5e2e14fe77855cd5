import { marked } from "../../figures/figure.js";
import type { Chart, Panel } from "../../plot/chart.js";
import type { Row } from "./comparison.js";
import { showNumber } from "./show-number.js";

/** A row, or what a file has of one. */
type Shown = Readonly<Record<keyof Row, string | number | boolean | null>>;

const number = (name: keyof Row) => (row: Shown) =>
  typeof row[name] === "number" ? showNumber(row[name]) : "–";
const error = (name: keyof Row) => (row: Shown) =>
  typeof row[name] === "number" ? (row[name] === 0 ? "0" : row[name].toExponential(0)) : "–";

/** The columns of a comparison, as they are headed, and what stands in them. */
export const comparisonColumns: Readonly<Record<string, (row: Shown) => string>> = {
  runtime: ({ runtime }) => String(runtime),
  "opening, ms": number("openMs"),
  "first gradient, ms": number("firstMs"),
  "evaluation, µs": number("evaluationUs"),
  "step, µs": number("stepUs"),
  "gradient, µs/step": number("gradientUs"),
  "times jit": number("timesJit"),
  "error of f": error("evaluationError"),
  "of the gradient": error("gradientError"),
  MiB: number("memoryMiB"),
};

/** The same for a file that is run as it is. */
export const runColumns: typeof comparisonColumns = {
  runtime: ({ runtime }) => String(runtime),
  "opening, ms": number("openMs"),
  "first run, ms": number("firstMs"),
  "run, µs": number("runUs"),
  "CPU time, µs": number("processorUs"),
  "times jit": number("timesJit"),
  error: error("runError"),
  MiB: number("memoryMiB"),
};

/** What does not work, with its reason, a line each. */
export function reasonLines(rows: readonly Shown[]): string[] {
  const reasons = new Map(
    rows.flatMap(({ runtime, reason }) =>
      reason === null ? [] : [[String(runtime), String(reason)] as const],
    ),
  );
  return [...reasons].map(([runtime, reason]) => `${runtime}: ${reason}`);
}

/** Time of a gradient's step, or of a run, over the size of the batch, in Node and in a page. */
export function comparisonChart(rows: readonly Shown[], title: string): Chart {
  const isRun = rows.some(({ runUs }) => typeof runUs === "number");
  const timed = isRun ? "runUs" : "gradientUs";
  const panel = (name: string, isHere: (runtime: string) => boolean): Panel => {
    const own = rows.filter((row) => isHere(String(row.runtime)) && typeof row[timed] === "number");
    const runtimes = [...new Set(own.map(({ runtime }) => String(runtime)))];
    return {
      title: name,
      x: { title: isRun ? "samples in a batch" : "states in a batch", scale: "log" },
      y: isRun
        ? { title: "a run", unit: "µs", scale: "log" }
        : { title: "gradient, forwards and backwards", unit: "µs per step", scale: "log" },
      layers: runtimes.flatMap((runtime) => {
        const line = own.filter((row) => row.runtime === runtime);
        return marked({
          ...{ kind: "line", name: runtime.replace(/^page\//, "") },
          ...{
            x: line.map(({ batch }) => Number(batch)),
            y: line.map((row) => Number(row[timed])),
          },
        });
      }),
    };
  };
  const panels = [
    panel("Node", (runtime) => !runtime.startsWith("page/")),
    panel("a page in Chromium", (runtime) => runtime.startsWith("page/")),
  ];
  return { title, panels: panels.filter(({ layers }) => layers.length > 0) };
}
