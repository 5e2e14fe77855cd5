import type { Chart } from "../../src/plot/chart.js";

interface Point {
  readonly library: string;
  readonly problem: string;
  readonly solver: string;
  readonly tolerance: number;
  readonly error: number;
  readonly seconds: number;
}

/** Error over time, a panel for each problem and a line for each solver. */
export function workPrecisionChart(problems: readonly string[], points: readonly Point[]): Chart {
  const lines = [...new Set(points.map(({ library, solver }) => `${library}, ${solver}`))];
  const tolerances = points.map(({ tolerance }) => tolerance);
  return {
    title: "Error at the end over the time of a solve",
    subtitle: `tolerances ${Math.max(...tolerances)} to ${Math.min(...tolerances)}, float64, warm`,
    panels: problems.map((problem) => ({
      title: problem,
      ...{ width: 260, height: 240 },
      x: { title: "time", unit: "s", scale: "log" },
      y: { title: "relative error", scale: "log" },
      layers: lines.map((name) => {
        const own = points.filter(
          (point) => point.problem === problem && name === `${point.library}, ${point.solver}`,
        );
        return { kind: "line", name, x: own.map(({ seconds }) => seconds), y: own.map(({ error }) => error) };
      }),
    })),
  };
}
