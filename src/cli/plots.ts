import type { Tensor } from "../core/tensor.js";
import type { Experiment } from "../experiments/experiment.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import { type Panel, type RenderedChart, renderChart } from "../plot/chart.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Trajectories } from "../train/data.js";
import type { TrainResult } from "../train/train.js";
import { componentNames } from "./components.js";

/** What is drawn of a run. */
export interface RunToDraw {
  readonly experiment: Experiment;
  readonly ode: NeuralOde;
  readonly data: Trajectories;
  readonly result: TrainResult;
  readonly runtime: Runtime;
}

/** Components drawn side by side; the rest are left to the files. */
const mostPanels = 4;

/** A chart, or why there is none. */
export type Drawn =
  | { readonly name: string; readonly chart: RenderedChart; readonly problem: null }
  | { readonly name: string; readonly chart: null; readonly problem: string };

/** The charts of a run: `losses`, and `fit` with data and solution over time. */
export async function* drawRun(run: RunToDraw): AsyncGenerator<Drawn> {
  for (const [name, draw] of [
    ["losses", drawLosses],
    ["fit", drawFit],
  ] as const) {
    try {
      yield { name, chart: await draw(run), problem: null };
    } catch (error) {
      yield { name, chart: null, problem: (error as Error).message };
    }
  }
}

function drawLosses({ experiment, result }: RunToDraw): Promise<RenderedChart> {
  const updates = result.losses.map((_, update) => update);
  return renderChart({
    title: `${experiment.name}: loss before each update`,
    panels: [
      {
        x: { title: "update" },
        y: { title: "loss", scale: "log" },
        layers: [{ kind: "line", x: updates, y: result.losses }],
      },
    ],
  });
}

async function drawFit({ experiment, ode, data, result, runtime }: RunToDraw): Promise<RenderedChart> {
  const { t0, times } = data;
  const end = times.at(-1)!;
  const fine = Array.from({ length: 401 }, (_, i) => (i === 400 ? end : t0 + ((end - t0) * i) / 400));
  const { ys } = await solve(ode, {
    runtime,
    parameters: result.parameters,
    y0: result.y0,
    t0,
    saveAt: fine,
  });
  const names = componentNames(ode.field);
  const fitted = firstTrajectory(ys, names.length);
  const observed = firstTrajectory(data.observations, names.length);
  const seen = names.map((_, i) => i).filter((i) => observed[i]!.some((value) => !Number.isNaN(value)));
  const panels: Panel[] = seen.slice(0, mostPanels).map((i) => ({
    title: names[i]!,
    x: { title: experiment.time.name, unit: experiment.time.unit },
    y: { title: names[i]!, unit: experiment.unit },
    layers: [
      { kind: "points", name: "data", x: times, y: observed[i]! },
      { kind: "line", name: "fit", x: fine, y: fitted[i]! },
    ],
  }));
  return renderChart({ title: `${experiment.name}: data and fit`, panels });
}

/** The values of each component over time, [components][times], of the first of the trajectories [times, …]. */
function firstTrajectory({ shape, data }: Tensor, components: number): number[][] {
  const times = shape[0]!;
  const each = data.length / times;
  return Array.from({ length: components }, (_, i) =>
    Array.from({ length: times }, (_, time) => Number(data[time * each + i])),
  );
}
