import { asInFile } from "../../experiments/own-data.js";
import type { Chart, Layer, Panel } from "../../plot/chart.js";
import { observedLayer } from "../../plot/fit-series.js";
import { columnsOf } from "../../plot/layout.js";
import type { Prediction } from "./forecast.js";

/** Components that are drawn; all are in the table. */
const mostPanels = 24;

/** Each component over time: what was observed, the forecast, and its range over seeds. */
export function forecastChart(prediction: Prediction, name: string): Chart {
  const { components, runs, time, unit } = prediction;
  const drawn = components.slice(0, mostPanels);
  const columns = columnsOf(drawn.length);
  const notes = [
    runs.length > 1 ? `mean of ${runs.length} runs, and their range` : null,
    drawn.length < components.length ? `${drawn.length} of ${components.length} components` : null,
  ].filter((note) => note !== null);
  return {
    title: `${name}: forecast`,
    ...(notes.length === 0 ? {} : { subtitle: notes.join("; ") }),
    columns,
    panels: drawn.map((component, i): Panel => {
      const timeAxis = { title: time.name, ...(time.unit === asInFile ? {} : { unit: time.unit }) };
      return {
        title: component,
        x: i + columns < drawn.length ? { title: "" } : timeAxis,
        y: { title: unit === asInFile ? "" : unit },
        layers: layersOf(prediction, i),
      };
    }),
  };
}

function layersOf({ observed, times, states, low, high }: Prediction, i: number): Layer[] {
  const ends = observed?.times.at(-1);
  const layers: Layer[] = [];
  if (low !== null && high !== null) {
    const name = "range over seeds";
    layers.push({ kind: "band", name, color: "vermillion", x: times, low: low[i]!, high: high[i]! });
  }
  if (observed !== null && !observed.values[i]!.every(Number.isNaN)) {
    layers.push(observedLayer(observed.times, observed.values[i]!));
  }
  layers.push({ kind: "line", name: "forecast", color: "vermillion", x: times, y: states[i]! });
  // where the data end
  if (ends !== undefined && ends < times.at(-1)!) layers.push({ kind: "rule", axis: "x", at: ends });
  return layers;
}
