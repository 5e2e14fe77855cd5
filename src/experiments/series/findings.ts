import type { Chart, Layer } from "../../plot/chart.js";
import { asInFile } from "../own-data.js";
import type { TrainedTask } from "../task-experiment.js";
import type { SeriesModel } from "./model.js";
import type { SampleShape, Stretch } from "./samples.js";
import type { SeriesSet } from "./series-set.js";
import type { Parts } from "./split.js";
import { statesAt } from "./states.js";

/** How far states are from what was observed of a column. */
export interface ColumnError {
  readonly part: string;
  readonly component: string;
  /** √(mean (state − observation)²), in the unit of the file */
  readonly rootMeanSquare: number;
  /** the same in standard deviations of the column, as the loss is */
  readonly inDeviations: number;
  /** Σ ((state − observation)/σ)² / n with the errors σ of the measurements, where they are known: about 1 for a good fit */
  readonly chiSquare: number | null;
}

/** The errors of each part and column. */
export async function errorsOf(
  { observed }: SeriesSet,
  setting: SeriesModel,
  parts: Parts,
  shape: Omit<SampleShape, "steps">,
  trained: TrainedTask,
): Promise<ColumnError[]> {
  const found: ColumnError[] = [];
  for (const [part, stretches] of Object.entries(parts) as [string, readonly Stretch[]][]) {
    if (stretches.length === 0) continue;
    const states = await statesAt(setting, stretches, shape, trained);
    for (const [j, component] of observed.entries()) {
      let [count, squares, chi, known] = [0, 0, 0, 0];
      for (const [i, { series, measured }] of stretches.entries()) {
        for (const [m, k] of measured.entries()) {
          const apart = states[i]![m]![j]! - series.values[k]![j]!;
          if (Number.isNaN(series.values[k]![j]!)) continue;
          count += 1;
          squares += apart ** 2;
          const error = series.errors?.[k]?.[j] ?? Number.NaN;
          if (Number.isNaN(error)) continue;
          known += 1;
          chi += (apart / error) ** 2;
        }
      }
      if (count === 0) continue;
      const rootMeanSquare = Math.sqrt(squares / count);
      const inDeviations = rootMeanSquare / setting.scales[j]!.deviation;
      found.push({
        part,
        component,
        rootMeanSquare,
        inDeviations,
        chiSquare: known === 0 ? null : chi / known,
      });
    }
  }
  return found;
}

/** Trajectories that are drawn: as many as there are colours. */
const mostDrawn = 4;
const colors = ["blue", "vermillion", "green", "purple"] as const;

/** Observations and states of a few trajectories, those that were set apart first. */
export async function fitChart(
  { observed, time, series }: SeriesSet,
  setting: SeriesModel,
  parts: Parts,
  shape: Omit<SampleShape, "steps">,
  trained: TrainedTask,
): Promise<Chart> {
  const order = [...parts.test, ...parts.validation, ...parts.training].map(({ trajectory }) => trajectory);
  const drawn = [...new Set(order)].slice(0, mostDrawn);
  const whole = drawn.map((trajectory): Stretch => {
    const own = series[trajectory]!;
    return { series: own, trajectory, from: 0, measured: own.times.map((_, k) => k) };
  });
  const states = await statesAt(setting, whole, shape, trained);
  const learnt = new Set(parts.training.map(({ trajectory }) => trajectory));
  const named = ({ series: own, trajectory }: Stretch) =>
    learnt.has(trajectory) ? own.id : `${own.id} (set apart)`;
  return {
    title: "Observations (symbols) and fit (lines)",
    ...(drawn.length < series.length ? { subtitle: `${drawn.length} of ${series.length} trajectories` } : {}),
    panels: observed.slice(0, 12).map((title, j) => ({
      title,
      x: { title: time.name, ...(time.unit === asInFile ? {} : { unit: time.unit }) },
      y: { title: "" },
      layers: whole.flatMap((stretch, i): Layer[] => {
        const [x, color, name] = [stretch.series.times, colors[i]!, named(stretch)];
        return [
          { kind: "points", name, color, x, y: stretch.series.values.map((row) => row[j]!) },
          { kind: "line", name, color, x, y: states[i]!.map((state) => state[j]!) },
        ];
      }),
    })),
  };
}
