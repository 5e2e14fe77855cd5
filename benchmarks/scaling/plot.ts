import { marked } from "../../src/figures/figure.js";
import type { Chart, Layer } from "../../src/plot/chart.js";

interface Point {
  readonly gradient: string;
  readonly runtime: string;
  readonly steps: number;
  readonly secondsPerGradient: number;
  readonly peakMebibytes: number;
}

const colors: Readonly<Record<string, "blue" | "vermillion">> = { reversible: "blue", direct: "vermillion" };
const names: Readonly<Record<string, string>> = { direct: "backprop through stored steps" };

/** Time and memory of a gradient over the number of steps, on logarithmic axes: a slope of 1 is proportional. */
export function scalingChart(points: readonly Point[]): Chart {
  const runtimes = [...new Set(points.map(({ runtime }) => runtime))];
  const layers = (value: "secondsPerGradient" | "peakMebibytes"): Layer[] =>
    Object.keys(colors).flatMap((gradient) =>
      runtimes.flatMap((runtime, i) => {
        const own = points.filter((point) => point.gradient === gradient && point.runtime === runtime);
        return marked({
          ...{ kind: "line", name: `${names[gradient] ?? gradient}, ${runtime}`, dashed: i > 0 },
          ...{
            color: colors[gradient]!,
            x: own.map(({ steps }) => steps),
            y: own.map((point) => point[value]),
          },
        });
      }),
    );
  const x = { title: "steps", scale: "log" } as const;
  const memory = points.map(({ peakMebibytes }) => peakMebibytes);
  const domain = [Math.min(...memory) / 1.3, Math.max(...memory) * 1.3] as const;
  return {
    title: "Memory and time of a gradient over the number of steps",
    subtitle: "coupled midpoint, 64 states of 2-8-8-2 tanh, float64",
    panels: [
      {
        title: "largest memory of the whole process",
        x,
        y: { title: "memory", unit: "MiB", scale: "log", domain },
        layers: layers("peakMebibytes"),
      },
      {
        title: "time",
        x,
        y: { title: "time of a gradient", unit: "s", scale: "log" },
        layers: layers("secondsPerGradient"),
      },
    ],
  };
}
