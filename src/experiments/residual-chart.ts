import { componentNames } from "../fields/components.js";
import type { VectorField } from "../fields/field.js";
import type { Chart, Panel } from "../plot/description.js";
import { observedLayer } from "../plot/fit-series.js";
import { columnsOf } from "../plot/layout.js";
import type { Trajectories } from "../train/data.js";
import type { Experiment } from "./experiment.js";
import { firstTrajectory, mostPanels, observationsOf, type States, timeAxis } from "./fit-chart.js";
import { asInFile } from "./own-data.js";

/** What is drawn: data, and a solution. */
interface Fitted {
  readonly field: VectorField;
  readonly data: Trajectories;
  readonly fit: States;
}

/**
 * Data minus fit over time, a panel for each component that was observed.
 *
 * @param fitted  with the solution at the times of the data
 */
export function residualChart(experiment: Experiment, { field, data, fit }: Fitted): Chart {
  const names = componentNames(field);
  const observed = firstTrajectory(data.observations, names.length);
  const fitted = firstTrajectory(fit.states, names.length);
  const seen = names.map((_, i) => i).filter((i) => observed[i]!.some((value) => !Number.isNaN(value)));
  const drawn = seen.slice(0, mostPanels);
  const columns = columnsOf(drawn.length);
  const panels: Panel[] = drawn.map((i, place) => ({
    title: names[i]!,
    x: place + columns < drawn.length ? { title: "" } : timeAxis(experiment),
    y: { title: "data − fit", ...(experiment.unit === asInFile ? {} : { unit: experiment.unit }) },
    layers: [
      { kind: "rule", axis: "y", at: 0 },
      observedLayer(
        data.times,
        observed[i]!.map((value, k) => value - fitted[i]![k]!),
      ),
    ],
  }));
  return { title: "Residuals", columns, panels };
}

/** Pairs of components that are drawn. */
const mostPairs = 3;

/** Components that were observed against each other: data and solution in the plane of each pair of neighbours. */
export function phaseChart(experiment: Experiment, { field, data, fit }: Fitted): Chart | null {
  const names = componentNames(field);
  const { values } = observationsOf(experiment, data, names.length);
  const fitted = firstTrajectory(fit.states, names.length);
  const seen = names.map((_, i) => i).filter((i) => values[i]!.some((value) => !Number.isNaN(value)));
  const pairs = seen.slice(1, 1 + mostPairs).map((j, k) => [seen[k]!, j] as const);
  if (pairs.length === 0) return null;
  return {
    title: "Phase portrait",
    columns: columnsOf(pairs.length),
    panels: pairs.map(([i, j]) => ({
      x: { title: names[i]! },
      y: { title: names[j]! },
      layers: [
        { kind: "points", name: "data", color: "blue", x: values[i]!, y: values[j]! },
        { kind: "line", name: "fit", color: "vermillion", x: fitted[i]!, y: fitted[j]! },
      ],
    })),
  };
}
