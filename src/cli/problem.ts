import type { VectorField } from "../fields/field.js";
import { importedField } from "../fields/imported.js";
import { mlp } from "../fields/mlp.js";
import { experiments } from "../experiments/all.js";
import type { Experiment } from "../experiments/experiment.js";
import { ownData, perceptronFor } from "../experiments/own-data.js";
import type { Model } from "../graph/model.js";
import { type NeuralOde, neuralOde } from "../integrate/neural-ode.js";
import { type Loss, losses } from "../learning/losses.js";
import { type Optimiser, optimisers } from "../learning/optimisers.js";
import { constant, type Schedule } from "../learning/schedules.js";
import { methodNamed } from "../methods/named.js";
import type { Runtime } from "../runtime/runtime.js";
import { parseTimeSeries, type TimeSeries } from "../storage/csv.js";
import type { Trajectories } from "../train/data.js";
import type { RunSettings } from "./run-settings.js";
import { UsageError } from "./usage.js";

/** What settings refer to, read from files. */
export interface Sources {
  /** the user's data, or what an experiment was given with --data */
  readonly data: { readonly name: string; readonly text: string } | null;
  /** the imported field, where there is one */
  readonly model: Model | null;
}

/** Settings and files, put together: what is trained on what. */
export interface Problem {
  readonly experiment: Experiment;
  readonly ode: NeuralOde;
  readonly data: Trajectories;
  readonly loss: Loss;
  readonly optimiser: Optimiser;
  readonly schedule: Schedule;
}

/** The experiment of a name. @throws {UsageError} listing them all */
export function experimentNamed(name: string): Experiment {
  const found = experiments.find((experiment) => experiment.name === name);
  if (found !== undefined) return found;
  throw new UsageError(
    `There is no experiment "${name}". Name one of ${experiments.map((e) => e.name).join(", ")}, or a CSV file.`,
  );
}

/** What is trained on: a named experiment, or the user's own series. */
export function subjectOf(
  settings: Pick<RunSettings, "experiment">,
  sources: Sources,
): { experiment: Experiment & { readonly trainY0?: boolean }; series: TimeSeries | null } {
  if (settings.experiment !== null) {
    const experiment = experimentNamed(settings.experiment);
    if (experiment.needs !== null && sources.data === null) {
      throw new UsageError(`The experiment ${experiment.name} needs --data FILE: ${experiment.needs}.`);
    }
    if (experiment.needs === null && sources.data !== null) {
      throw new UsageError(`The experiment ${experiment.name} has its own data; leave out --data.`);
    }
    return { experiment, series: null };
  }
  const { name, text } = sources.data!;
  const series = parseTimeSeries(text, { source: name });
  return { experiment: ownData(name, series), series };
}

/** @throws {UsageError | UnknownSolverError | CouplingError | …} for settings that make no problem */
export async function problemOf(settings: RunSettings, sources: Sources, runtime: Runtime): Promise<Problem> {
  const { experiment, series } = subjectOf(settings, sources);
  const ode = neuralOde({
    field: fieldOf(settings, experiment, series, sources),
    method: methodNamed(settings.solver, settings.reversible ? { coupling: settings.coupling } : {}),
    stepSize: settings.stepSize,
    dtype: settings.dtype,
  });
  const data = await experiment.data({ ode, runtime, file: sources.data });
  const rates = {
    ...(settings.learningRate === null ? {} : { learningRate: settings.learningRate }),
    ...(settings.weightDecay === null ? {} : { weightDecay: settings.weightDecay }),
  };
  return {
    experiment,
    ode,
    data,
    loss: settings.loss === null ? experiment.protocol.loss() : losses[settings.loss](),
    optimiser:
      settings.optimiser === null ? experiment.protocol.optimiser(rates) : optimisers[settings.optimiser](rates),
    schedule: experiment.protocol.schedule?.(settings.steps) ?? constant(),
  };
}

function fieldOf(
  settings: RunSettings,
  experiment: Experiment,
  series: TimeSeries | null,
  { model }: Sources,
): VectorField {
  if (model !== null) return importedField(model, { float: settings.dtype });
  if (settings.field === "default") return experiment.field();
  const options = { hidden: hiddenWidths(settings.field), activation: settings.activation, time: settings.time };
  if (series !== null) return perceptronFor(series, options);
  const own = experiment.field();
  return mlp({
    ...options,
    dim: own.state.at(-1) as number,
    ...(own.components === undefined ? {} : { components: own.components }),
  });
}

/** The widths in `mlp:64,64`; `mlp:` alone is an affine field. @throws {UsageError} */
export function hiddenWidths(field: string): number[] {
  const match = /^mlp:((\d+(,\d+)*)?)$/.exec(field);
  if (match === null) {
    throw new UsageError(`--field takes mlp:WIDTH,WIDTH,… or a file that ends in .onnx, but "${field}" was given.`);
  }
  return match[1] === "" ? [] : match[1]!.split(",").map(Number);
}

/** What was observed of each component, for plots: [component][time], NaN where there is none. */
export function observedSeries({ observations }: Trajectories, trajectory = 0): number[][] {
  return seriesOf(observations.data as Float64Array, observations.shape, trajectory);
}

/** Values of each component over time, of a tensor [times, N, …]. */
export function seriesOf(values: ArrayLike<number>, shape: readonly number[], trajectory: number): number[][] {
  const [times, count] = shape as readonly [number, number];
  const size = shape.slice(2).reduce((p, d) => p * d, 1);
  return Array.from({ length: size }, (_, component) =>
    Array.from({ length: times }, (_, time) => values[(time * count + trajectory) * size + component]!),
  );
}

/** The names of the components of a state, made up where the field has none. */
export function componentNames({ components, state }: VectorField): string[] {
  const size = state.slice(state[0] === "batch" ? 1 : 0).reduce<number>((p, d) => p * (d as number), 1);
  return Array.from({ length: size }, (_, i) => components?.[i] ?? `y${i}`);
}
