import { type Control, givenTimes } from "../control/control.js";
import type { Tensor } from "../core/tensor.js";
import { componentNames } from "../fields/components.js";
import type { Tensors, VectorField } from "../fields/field.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import type { Axis } from "../plot/axis.js";
import type { Chart, Layer, Panel } from "../plot/description.js";
import { fewSteps, observedLayer, timesToDraw } from "../plot/fit-series.js";
import { columnsOf } from "../plot/layout.js";
import { gridThrough } from "../programs/grid.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Trajectories } from "../train/data.js";
import type { Experiment } from "./experiment.js";
import { asInFile } from "./own-data.js";

/** A fit that is to be drawn: an equation, what it was trained on, and what came of it. */
export interface FittedRun {
  readonly ode: NeuralOde;
  readonly data: Trajectories;
  readonly runtime: Runtime;
  readonly parameters: Tensors;
  readonly y0: Tensor;
  /** how steps were chosen in training, where they were */
  readonly control?: Control | null;
}

/** States over time. */
export interface States {
  readonly times: readonly number[];
  /** [times, …], of which the first trajectory is drawn */
  readonly states: Tensor;
}

/** A solution of the trained field that owes nothing to the solver that trained it. */
export interface IndependentSolution extends States {
  /** as the legend says it: "the field itself, by dopri8 at rtol 1e-9" */
  readonly name: string;
}

/** Components drawn; the rest are left to the files, which is said. */
export const mostPanels = 24;

/** Loss over updates. */
export function lossChart(
  { name, lossUnit }: Pick<Experiment, "name" | "lossUnit">,
  losses: readonly number[],
): Chart {
  const x = losses.map((_, update) => update);
  const unit = lossUnit === undefined ? {} : { unit: lossUnit };
  const points: Layer[] = losses.length <= 60 ? [{ kind: "points", color: "blue", x, y: losses }] : [];
  return {
    title: `${name}: loss before each update`,
    panels: [
      {
        x: { title: "update" },
        y: { title: "loss", ...unit, scale: "log" },
        layers: [{ kind: "line", color: "blue", x, y: losses }, ...points],
      },
    ],
  };
}

/** Data and fit over time, a panel for each component that was observed. */
export function fitChart(
  experiment: Experiment,
  {
    field,
    data,
    fit,
    independent,
  }: {
    readonly field: VectorField;
    readonly data: Trajectories;
    readonly fit: States;
    readonly independent: IndependentSolution | null;
  },
): Chart {
  const names = componentNames(field);
  const { times, values } = observationsOf(experiment, data, names.length);
  const fitted = firstTrajectory(fit.states, names.length);
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
      { kind: "line", name: "fit", color: "vermillion", x: fit.times, y: fitted[i]! },
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
  return {
    title: `${experiment.name}: data and fit`,
    ...(left.length === 0 ? {} : { subtitle: left.join("; ") }),
    columns,
    panels,
  };
}

/** The solution by the solver that trained the field, on the steps that it trained on. */
export async function solutionToDraw({
  ode,
  data,
  runtime,
  parameters,
  y0,
  control = null,
}: FittedRun): Promise<States> {
  const { t0, times } = data;
  const steps = control === null ? gridThrough(t0, times, ode.stepSize).times : null;
  const saveAt = timesToDraw(t0, times, steps);
  const known = steps === null ? control! : givenTimes(steps);
  const save = steps === null || steps.length <= fewSteps ? "interpolated" : "hit";
  const { ys } = await solve(ode, { runtime, parameters, y0, t0, saveAt, control: known, save });
  return { times: saveAt, states: ys };
}

export function timeAxis({ time }: Experiment): Axis {
  return time.unit === asInFile ? { title: time.name } : { title: time.name, unit: time.unit };
}

/** What was observed of the first trajectory, its start with it: [components][times]. */
export function observationsOf(
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
export function firstTrajectory({ shape, data }: Tensor, components: number): number[][] {
  const times = shape[0]!;
  const each = data.length / times;
  return Array.from({ length: components }, (_, i) =>
    Array.from({ length: times }, (_, time) => Number(data[time * each + i])),
  );
}
