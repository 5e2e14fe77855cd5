import type { Control } from "../control/control.js";
import { nearName } from "../core/near-name.js";
import { tensor } from "../core/tensor.js";
import { componentsIn } from "../deploy/field-file.js";
import { experiments } from "../experiments/all.js";
import type { Experiment, Protocol } from "../experiments/experiment.js";
import { ownData, perceptronFor, usualWidths } from "../experiments/own-data.js";
import { taskSchedules } from "../experiments/task-schedule.js";
import { componentNames } from "../fields/components.js";
import { stateOf, type VectorField } from "../fields/field.js";
import { importedField } from "../fields/imported.js";
import { mlp } from "../fields/mlp.js";
import { isSymbolic } from "../fields/symbolic/symbolic-field.js";
import type { Model } from "../graph/model.js";
import { recoupled } from "../integrate/coupling.js";
import { type NeuralOde, neuralOde } from "../integrate/neural-ode.js";
import { checkResolution } from "../integrate/resolution.js";
import { withinBounds } from "../learning/bounds.js";
import { inUnits } from "../learning/groups.js";
import { type Loss, losses } from "../learning/losses.js";
import { type Optimiser, optimisers } from "../learning/optimisers.js";
import { constant, type Schedule } from "../learning/schedules.js";
import { methodNamed } from "../methods/named.js";
import { y0Name } from "../programs/names.js";
import type { Runtime } from "../runtime/runtime.js";
import { parseTimeSeries, type TimeSeries } from "../storage/csv.js";
import type { Trajectories } from "../train/data.js";
import { type ControlOptions, controlOf } from "./control-options.js";
import { equationField, isEquations } from "./equations.js";
import { importOptionsOf } from "./field-options.js";
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
  /** how steps are chosen; `null` for steps of one size */
  readonly control: Control | null;
}

/** The experiment of a name. @throws {UsageError} listing them all */
export function experimentNamed(name: string): Experiment {
  const found = experiments.find((experiment) => experiment.name === name);
  if (found !== undefined) return found;
  const names = experiments.map((experiment) => experiment.name);
  const near = nearName(name, names);
  throw new UsageError(
    `There is no experiment "${name}"${near === undefined ? "." : `; did you mean "${near}"?`} ` +
      `Name one of ${names.join(", ")}, or a CSV file.`,
  );
}

/** What is trained on: a named experiment, or the user's own series. */
export function subjectOf(
  settings: Pick<RunSettings, "experiment" | "field" | "trainY0" | "missing">,
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
  const series = parseTimeSeries(text, { source: name, missing: settings.missing });
  const fits = isEquations(settings.field) ? { fitsStart: settings.trainY0 } : {};
  return { experiment: ownData(name, series, fits), series };
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
  const read = await experiment.data({ ode, runtime, file: sources.data });
  const { startY0 } = settings;
  const data = inShapeOf(
    ode.field,
    startY0 === null ? read : { ...read, y0: tensor("float64", read.y0.shape, startY0) },
  );
  if (settings.control === null) {
    checkResolution(ode, { t0: data.t0, end: data.times.at(-1)! }, ode.stepSize);
  }
  const rates = {
    ...(settings.learningRate === null ? {} : { learningRate: settings.learningRate }),
    ...(settings.weightDecay === null ? {} : { weightDecay: settings.weightDecay }),
  };
  const { optimiser: named } = settings;
  if (settings.weightDecay !== null && named !== null && !("weightDecay" in optimisers[named]().settings)) {
    throw new UsageError(`The optimiser ${named} has no weight decay. Leave it out, or use adamw.`);
  }
  const asked = named === null ? experiment.protocol.optimiser(rates) : optimisers[named](rates);
  const { lossScale } = experiment;
  const last = data.y0.shape.at(-1);
  // an initial state that is trained moves in deviations of its columns, whatever their units
  const optimiser =
    lossScale === undefined || last !== lossScale.length
      ? asked
      : inUnits(asked, { name: y0Name, origin: data.y0, units: lossScale });
  return {
    experiment,
    ode,
    data,
    loss: experiment.protocol.loss(settings.loss === null ? undefined : losses[settings.loss]()),
    optimiser: isSymbolic(ode.field) ? withinBounds(optimiser, ode.field) : optimiser,
    schedule: scheduleOf(settings, experiment.protocol)?.(Math.max(1, settings.steps)) ?? constant(),
    control: settings.control === null ? null : controlOf(given(settings.control)),
  };
}

/** What is said of steps that are to be longer than the data let any be; `null` of others. */
export function stepNote({ ode, data: { t0, times }, control }: Problem): string | null {
  const widest = times.reduce((most, time, i) => Math.max(most, Math.abs(time - (times[i - 1] ?? t0))), 0);
  if (control !== null || ode.stepSize <= widest) return null;
  return (
    `Steps end at each time of the data, which are ${Number(widest.toPrecision(4))} apart at most: --step-size ` +
    `${ode.stepSize} makes none longer.`
  );
}

/** The problem as a run has come to have it: with the λ that was chosen on the way. */
export function asTrained(problem: Problem, coupling: number | null | undefined): Problem {
  const { ode } = problem;
  if (typeof coupling !== "number" || coupling === ode.method.coupling) return problem;
  return { ...problem, ode: { ...ode, method: recoupled(ode.method, coupling) } };
}

/** A record without what is undefined in it. */
function given(options: NonNullable<RunSettings["control"]>): ControlOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** One trajectory in the shape of the field's states, which may have no batch axis, or be matrices. */
function inShapeOf(field: VectorField, data: Trajectories): Trajectories {
  if (data.y0.shape[0] !== 1) return data;
  const y0 = stateOf(field, data.y0);
  return { ...data, y0, observations: { ...data.observations, shape: [data.times.length, ...y0.shape] } };
}

function fieldOf(
  settings: RunSettings,
  experiment: Experiment,
  series: TimeSeries | null,
  { model }: Sources,
): VectorField {
  if (model !== null) {
    const field = importedField(model, { ...importOptionsOf(settings), float: settings.dtype });
    return onColumns(field, model, series?.names ?? experiment.field().components);
  }
  const { timescale } = settings;
  if (settings.field === "default") {
    return series === null ? experiment.field() : perceptronFor(series, { hidden: usualWidths }, timescale);
  }
  if (isEquations(settings.field)) return equationField(settings, experiment, series);
  const options = {
    hidden: hiddenWidths(settings.field),
    activation: settings.activation,
    time: settings.time,
  };
  if (series !== null) return perceptronFor(series, options, timescale);
  const own = experiment.field();
  return mlp({
    ...options,
    dim: own.state.at(-1) as number,
    ...(own.components === undefined ? {} : { components: own.components }),
  });
}

/**
 * A field from a file, whose components are the columns of the data, one by one.
 *
 * @throws {UsageError} where the file has the same names in another order: its equations would get each other's columns
 */
function onColumns(field: VectorField, model: Model, columns: readonly string[] | undefined): VectorField {
  if (columns === undefined || columns.length !== componentNames(field).length) return field;
  const own = componentsIn(model.metadata) ?? columns;
  const same = own.every((name) => columns.includes(name)) && columns.every((name) => own.includes(name));
  if (same && own.some((name, i) => name !== columns[i])) {
    throw new UsageError(
      `${model.source} has the components ${own.join(", ")}, but the data have them as ${columns.join(", ")}. ` +
        "Put the columns into the order of the file.",
    );
  }
  return { ...field, components: columns };
}

/** The widths in `mlp:64,64`; `mlp:` alone is an affine field. @throws {UsageError} */
export function hiddenWidths(field: string): number[] {
  const match = /^mlp:((\d+(,\d+)*)?)$/.exec(field);
  if (match === null) {
    throw new UsageError(
      `--field takes mlp:WIDTH,WIDTH,…, equations ("dx = -k*x") or a file that ends in .onnx, but "${field}" was given.`,
    );
  }
  const widths = match[1] === "" ? [] : match[1]!.split(",").map(Number);
  const weights = widths.slice(1).reduce((sum, width, i) => sum + width * widths[i]!, Math.max(0, ...widths));
  if (weights <= mostWeights) return widths;
  throw new UsageError(
    `--field ${field} means ${weights} weights or more, which is beyond ${mostWeights}; make it narrower.`,
  );
}

/** 800 MB in float64, and the optimiser keeps two more of each. */
const mostWeights = 1e8;

/** What a run was told; else what the protocol has. */
function scheduleOf({ schedule }: RunSettings, protocol: Protocol) {
  return schedule === null ? protocol.schedule : taskSchedules[schedule];
}
