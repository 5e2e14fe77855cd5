import { type Control, givenTimes } from "../control/control.js";
import type { Tensor } from "../core/tensor.js";
import type { Experiment } from "../experiments/experiment.js";
import { asInFile } from "../experiments/own-data.js";
import { solveAccurately } from "../integrate/accurate.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import { type Axis, type Layer, type Panel, type RenderedChart, renderChart } from "../plot/chart.js";
import { columnsOf } from "../plot/layout.js";
import { gridThrough } from "../programs/grid.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Trajectories } from "../train/data.js";
import type { TrainResult } from "../train/train.js";
import { componentNames } from "./components.js";
import { fewSteps, observedLayer, timesToDraw } from "./fit-series.js";

/** What is drawn of a run. */
export interface RunToDraw {
  readonly experiment: Experiment;
  readonly ode: NeuralOde;
  readonly data: Trajectories;
  readonly result: TrainResult;
  readonly runtime: Runtime;
  /** how steps were chosen in training, where they were */
  readonly control?: Control | null;
  /** a second solution to draw beside the fit; by default that of the field itself, where the check of the fit warns */
  readonly independent?: IndependentSolution | null;
}

/** A solution of the trained field that owes nothing to the solver that trained it. */
export interface IndependentSolution {
  /** as the legend says it: "the field itself, by dopri8 at rtol 1e-9" */
  readonly name: string;
  readonly times: readonly number[];
  /** [times, …], of which the first trajectory is drawn */
  readonly states: Tensor;
}

/** Components drawn; the rest are left to the files, which is said. */
const mostPanels = 24;

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
  const { losses } = result;
  const x = losses.map((_, update) => update);
  const unit = experiment.lossUnit === undefined ? {} : { unit: experiment.lossUnit };
  const points: Layer[] = losses.length <= 60 ? [{ kind: "points", color: "blue", x, y: losses }] : [];
  return renderChart({
    title: `${experiment.name}: loss before each update`,
    panels: [
      {
        x: { title: "update" },
        y: { title: "loss", ...unit, scale: "log" },
        layers: [{ kind: "line", color: "blue", x, y: losses }, ...points],
      },
    ],
  });
}

async function drawFit(run: RunToDraw): Promise<RenderedChart> {
  const { experiment, ode, data } = run;
  const { times: fine, states } = await fitOf(run);
  const independent = run.independent === undefined ? await fieldItself(run, fine) : run.independent;
  const names = componentNames(ode.field);
  const { times, values } = observationsOf(experiment, data, names.length);
  const fitted = firstTrajectory(states, names.length);
  const other = independent && firstTrajectory(independent.states, names.length);
  const seen = names.map((_, i) => i).filter((i) => values[i]!.some((value) => !Number.isNaN(value)));
  const drawn = seen.slice(0, mostPanels);
  const columns = columnsOf(drawn.length);
  const panels: Panel[] = drawn.map((i, place) => ({
    title: names[i]!,
    // one title of time under each column
    x: place + columns < drawn.length ? { title: "" } : timeAxis(experiment),
    y: { title: experiment.unit === asInFile ? "" : experiment.unit },
    layers: [
      observedLayer(times, values[i]!),
      { kind: "line", name: "fit", color: "vermillion", x: fine, y: fitted[i]! },
      ...(independent === null || other === null
        ? []
        : [
            {
              kind: "line",
              name: independent.name,
              color: "black",
              dashed: true,
              x: independent.times,
              y: other[i]!,
            } as const,
          ]),
    ],
  }));
  const left = [
    data.y0.shape[0]! > 1 ? `trajectory 1 of ${data.y0.shape[0]}` : null,
    drawn.length < seen.length ? `${drawn.length} of ${seen.length} components; all are in the files` : null,
  ].filter((note) => note !== null);
  return renderChart({
    title: `${experiment.name}: data and fit`,
    ...(left.length === 0 ? {} : { subtitle: left.join("; ") }),
    columns,
    panels,
  });
}

/** The solution by the solver that trained the field, on the steps that it trained on. */
async function fitOf({ ode, data, result, runtime, control = null }: RunToDraw) {
  const { t0, times } = data;
  const request = { runtime, parameters: result.parameters, y0: result.y0, t0 };
  const steps = control === null ? gridThrough(t0, times, ode.stepSize).times : null;
  const saveAt = timesToDraw(t0, times, steps);
  const known = steps === null ? control! : givenTimes(steps);
  const save = steps === null || steps.length <= fewSteps ? "interpolated" : "hit";
  const { ys } = await solve(ode, { ...request, saveAt, control: known, save });
  return { times: saveAt, states: ys };
}

/** The solution of the field itself, where that is another than the fit. */
async function fieldItself(
  { ode, data, result, runtime }: RunToDraw,
  saveAt: readonly number[],
): Promise<IndependentSolution | null> {
  const { check } = result;
  if (check === null || check.warning === null || check.loss === null) return null;
  const { parameters, y0 } = result;
  const request = { runtime, parameters, y0, t0: data.t0, saveAt };
  const { ys, accuracy } = await solveAccurately(ode, { ...request, scale: check.atol / check.rtol });
  const name = `the field itself, by ${accuracy.method} at rtol ${accuracy.rtol}`;
  return { name, times: saveAt, states: ys };
}

function timeAxis({ time }: Experiment): Axis {
  return time.unit === asInFile ? { title: time.name } : { title: time.name, unit: time.unit };
}

/** What was observed of the first trajectory, its start with it: [components][times]. */
function observationsOf(
  { assumesStart }: Experiment,
  { t0, times, y0, observations }: Trajectories,
  components: number,
) {
  const later = firstTrajectory(observations, components);
  if (assumesStart || times[0] === t0) return { times: [...times], values: later };
  const start = firstTrajectory({ ...y0, shape: [1, ...y0.shape] }, components);
  return { times: [t0, ...times], values: later.map((values, i) => [start[i]![0]!, ...values]) };
}

/** The values of each component over time, [components][times], of the first of the trajectories [times, …]. */
function firstTrajectory({ shape, data }: Tensor, components: number): number[][] {
  const times = shape[0]!;
  const each = data.length / times;
  return Array.from({ length: components }, (_, i) =>
    Array.from({ length: times }, (_, time) => Number(data[time * each + i])),
  );
}
