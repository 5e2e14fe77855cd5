import type { Chart, Layer } from "../../src/plot/chart.js";

interface Point {
  readonly model: string;
  readonly seed: number;
  readonly updates: number;
  readonly perplexity: number;
}

const colors: Readonly<Record<string, "blue" | "vermillion" | "green">> = {
  transformer: "blue",
  revdeq: "vermillion",
  deq: "green",
};

/** Perplexity per token of the validation text over the updates, a band over the seeds around their mean. */
export function languageComparisonChart(points: readonly Point[]): Chart {
  const models = [...new Set(points.map(({ model }) => model))];
  const layers = models.flatMap((model): Layer[] => {
    const own = points.filter((point) => point.model === model);
    const x = [...new Set(own.map(({ updates }) => updates))].sort((a, b) => a - b);
    const at = x.map((updates) =>
      own.filter((point) => point.updates === updates).map(({ perplexity }) => perplexity),
    );
    const color = colors[model] ?? "blue";
    return [
      {
        kind: "band",
        name: model,
        ...{ color, x, low: at.map((all) => Math.min(...all)), high: at.map((all) => Math.max(...all)) },
      },
      {
        kind: "line",
        name: model,
        ...{ color, x, y: at.map((all) => all.reduce((sum, one) => sum + one, 0) / all.length) },
      },
    ];
  });
  return {
    title: "Language models of equal parameters on equal tokens",
    panels: [
      {
        x: { title: "update" },
        y: { title: "perplexity per token, validation", scale: "log" },
        layers,
      },
    ],
  };
}
