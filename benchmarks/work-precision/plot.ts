import { marked } from "../../src/figures/figure.js";
import type { Chart } from "../../src/plot/chart.js";

interface Point {
  readonly library: string;
  readonly problem: string;
  readonly solver: string;
  readonly tolerance: number;
  readonly error: number;
  readonly seconds: number;
}

/** Of each library its best solver here, in the library's colour in all plots; the table has the others. */
const lines = [
  { library: "revort, solve", solver: "tsit5", color: "blue" },
  { library: "revort, whole solve", solver: "tsit5", color: "sky" },
  { library: "diffrax", solver: "tsit5", color: "vermillion" },
  { library: "SciPy", solver: "DOP853", color: "green" },
] as const;

const names: Readonly<Record<string, string>> = {
  "revort, whole solve": "revort, the whole solve as one graph",
};

/** Error over time, a panel for each problem and a line for each library, on the same axes. */
export function workPrecisionChart(points: readonly Point[]): Chart {
  const tolerances = points.map(({ tolerance }) => tolerance);
  const drawn = points.filter((point) =>
    lines.some(({ library, solver }) => point.library === library && point.solver === solver),
  );
  const span = (values: readonly number[]) => [Math.min(...values) / 1.6, Math.max(...values) * 1.6] as const;
  const x = {
    title: "time",
    unit: "s",
    scale: "log",
    domain: span(drawn.map((point) => point.seconds)),
  } as const;
  const y = {
    title: "relative error",
    scale: "log",
    domain: span(drawn.map((point) => point.error)),
  } as const;
  return {
    title: "Error at the end over the time of a solve",
    subtitle: `tolerances ${Math.max(...tolerances)} to ${Math.min(...tolerances)}, float64, warm`,
    panels: [...new Set(points.map(({ problem }) => problem))].map((problem) => ({
      title: problem,
      ...{ x, y },
      layers: lines.flatMap(({ library, solver, color }) => {
        const own = drawn.filter(
          (point) => point.problem === problem && point.library === library && point.solver === solver,
        );
        const name = `${names[library] ?? library}, ${solver}`;
        return marked({
          ...{ kind: "line", name, color },
          ...{ x: own.map(({ seconds }) => seconds), y: own.map(({ error }) => error) },
        });
      }),
    })),
  };
}
