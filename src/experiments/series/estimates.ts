import { numbers, tensor } from "../../core/tensor.js";
import { componentNames } from "../../fields/components.js";
import type { Tensors } from "../../fields/field.js";
import type { Value } from "../../graph/graph.js";
import { defineModel, type Model } from "../../models/model.js";
import { predictionProgram } from "../../models/task-measures.js";
import { compileProgram, downloadTree, uploadTree } from "../../runtime/compile-program.js";
import { withSensitivities } from "../../systems/sensitivities.js";
import { type Estimation, type EstimationOptions, estimation, roundingOf } from "../../train/estimation.js";
import type { Residuals } from "../../train/least-squares.js";
import type { TrainedTask } from "../task-experiment.js";
import { changeUnits, type SeriesModel, sampleTypes, startNames, statesOf } from "./model.js";
import { firstValue, mostSteps, type SampleShape, type Stretch, samplesOf, stepsOf } from "./samples.js";

/** Numbers of residuals times derivatives² of a step of least squares, past which it takes minutes. */
const mostWork = 5e10;

/** What is found of the named parameters of a fit, and the parameters that the model has then. */
export interface SeriesEstimate {
  /** `null` where there is no solution, or too much is estimated */
  readonly found: Estimation | null;
  readonly problem: string | null;
  readonly parameters: Tensors;
}

/**
 * The named parameters of a fit to trajectories at the minimum of least squares over all of them, with their intervals. Where
 * initial states are trained, those of each trajectory are estimated with them; of components that were not observed they are
 * named as well, S0 of S, or S0 (a) in the trajectory a of several. Residuals are (y(tₖ) − data)ᵢ over the error of
 * the measurement where that is known, else over the deviation of the column.
 */
export async function seriesEstimate(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  trained: TrainedTask,
  options: Omit<EstimationOptions, "scale">,
): Promise<SeriesEstimate> {
  const point = await seriesPoint(setting, stretches, shape, trained, options.names);
  const { start, observations, scale, named } = point;
  const unchanged = { found: null, parameters: trained.parameters };
  if (observations * start.length ** 2 > mostWork) {
    await point.release();
    const what = `${start.length} numbers from ${observations} observations`;
    const problem = `Finding ${what} by Gauss–Newton takes too long; --no-train-y0 takes first observations as exact.`;
    return { ...unchanged, problem };
  }
  try {
    const { residuals, components, rounding } = point;
    const dim = setting.scales.length;
    const bounds = { ...options.bounds, ...hiddenBounds(setting, named) };
    const found = await estimation(
      { start, residuals, components, dim, rounding },
      { ...options, scale, bounds, names: [...options.names, ...named.map(({ name }) => name)] },
    );
    if (found !== null) return { found, problem: null, parameters: point.parametersAt(found.x) };
    return {
      ...unchanged,
      problem: "With the parameters of the last update the equations have no solution.",
    };
  } finally {
    await point.release();
  }
}

/** An observation: of which stretch, where among its states, of which component, and its error or what stands in for it. */
interface Place {
  readonly n: number;
  readonly at: number;
  readonly i: number;
  readonly value: number;
  readonly s: number;
}

/** What is estimated of an initial state: a component of a stretch. */
interface Slot {
  readonly n: number;
  readonly j: number;
}

/** Initial values of hidden components, by their names in reports. */
export interface NamedSlot extends Slot {
  readonly name: string;
  readonly component: string;
}

/** The initial values that are named: of components that were not observed, where they are each trajectory's own. */
function namedSlots(
  { field, scales, hidden, ownHidden }: SeriesModel,
  stretches: readonly Stretch[],
): NamedSlot[] {
  if (ownHidden === undefined) return [];
  const components = componentNames(field);
  return stretches.flatMap(({ series }, n) =>
    Array.from({ length: hidden }, (_, k) => {
      const component = components[scales.length + k]!;
      const name = `${component}0${stretches.length === 1 ? "" : ` (${series.id})`}`;
      return { n, j: scales.length + k, name, component };
    }),
  );
}

/** Initial values of hidden components as they are, by their names in reports. */
export function hiddenValues(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  { parameters }: Pick<TrainedTask, "parameters">,
): Record<string, number> {
  const units = changeUnits(setting);
  return Object.fromEntries(
    namedSlots(setting, stretches).map(({ n, j, name }) => {
      const change = numbers(parameters[startNames.change]!);
      return [name, change[stretches[n]!.trajectory * units.length + j]! * units[j]!];
    }),
  );
}

function hiddenBounds({ hiddenStarts = {} }: SeriesModel, slots: readonly NamedSlot[]) {
  return Object.fromEntries(
    slots.flatMap(({ name, component }) => {
      const { low, high } = hiddenStarts[component] ?? {};
      return [[name, { low: low ?? -Infinity, high: high ?? Infinity }] as const];
    }),
  );
}

/**
 * Residuals of a fit to trajectories and their Jacobian, at vectors of the named parameters, of the initial values of hidden
 * components, and of those of observed ones where they are estimated.
 */
export async function seriesPoint(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  { runtime, dtype, parameters }: TrainedTask,
  names: readonly string[],
) {
  const { scales, starts, hidden } = setting;
  const dim = scales.length + hidden;
  const ofStart = starts > 0;
  const named = namedSlots(setting, stretches);
  const ofObserved = stretches.flatMap((_, n) => scales.map((__, j): Slot => ({ n, j })));
  const slots: readonly Slot[] = ofStart ? [...named, ...(setting.exactFirst ? [] : ofObserved)] : [];
  const units = changeUnits(setting);
  const steps = mostSteps(stretches, shape.stepSize);
  const sensitivities = withSensitivities(setting.field, names, { ofStart });
  const { columns } = sensitivities;
  const wide = dim * (1 + columns);
  const {
    target: _,
    weight: __,
    first: ___,
    trajectory: ____,
    ...given
  } = samplesOf(stretches, { ...shape, steps });
  const model = defineModel({
    name: `sensitivities of ${setting.name}`,
    parameters: setting.field.parameters,
    inputs: { ...sampleTypes(setting, steps).given, start: { shape: [wide] } },
    apply: (b, theta, inputs) => {
      const { start, ...rest } = inputs as unknown as Record<string, Value>;
      return { states: statesOf(b, { ...setting, field: sensitivities.field }, theta, start!, rest) };
    },
  }) as unknown as Model;
  const compiled = await compileProgram(runtime, predictionProgram(model, dtype, stretches.length));
  const shared = uploadTree(runtime, given);
  const own = Object.keys(setting.field.parameters);
  const first = stretches.map((stretch) =>
    units.map((_, j) => (j < scales.length ? firstValue(stretch.series, stretch.from, j) : 0)),
  );
  const change = ofStart ? numbers(parameters[startNames.change]!) : [];
  const y0 = stretches.map(({ trajectory }, n) =>
    first[n]!.map((value, j) => value + (ofStart ? change[trajectory * dim + j]! * units[j]! : 0)),
  );
  const places = placesOf(setting, stretches, shape.stepSize);

  function statesAt(x: readonly number[]): number[][] {
    const rows = y0.map((row) => [...row]);
    for (const [k, { n, j }] of slots.entries()) rows[n]![j] = x[names.length + k]!;
    return rows;
  }

  async function residuals(x: readonly number[]): Promise<Residuals | null> {
    const wideRows = statesAt(x).flatMap((row) => sensitivities.start(row));
    const theta = Object.fromEntries(
      own.map((name) => {
        const at = names.indexOf(name);
        return [name, at < 0 ? parameters[name]! : tensor(dtype, [], [x[at]!])];
      }),
    );
    const outputs = await compiled.run({
      ...uploadTree(runtime, { parameters: theta, buffers: {} }),
      data: { ...shared, start: runtime.upload(tensor(dtype, [stretches.length, wide], wideRows)) },
    } as never);
    const states = numbers((await downloadTree(runtime, outputs)).states as never);
    const from = places.map(({ n, at, i }) => (n * steps + at) * wide + i);
    const column = (c: number) => from.map((place, k) => states[place + dim * (1 + c)]! / places[k]!.s);
    const ofStates = slots.map(({ n, j }) => {
      const c = dim * (1 + names.length + j);
      return from.map((place, k) => (places[k]!.n === n ? states[place + c]! / places[k]!.s : 0));
    });
    return {
      residuals: from.map((place, k) => (states[place]! - places[k]!.value) / places[k]!.s),
      jacobian: [...names.map((__, j) => column(j)), ...ofStates],
    };
  }

  return {
    ...{ residuals, statesAt },
    ...{ observations: places.length, components: places.map(({ i }) => i) },
    rounding: roundingOf(places, dtype),
    scale: scales.map((_, i) => typical(places.filter((place) => place.i === i).map(({ s }) => s))),
    ...{ named, slots },
    start: [
      ...names.map((name) => Number(parameters[name]!.data[0])),
      ...slots.map(({ n, j }) => y0[n]![j]!),
    ],
    release: () => compiled.release(),
    parametersAt(x: readonly number[]): Tensors {
      const scalars = names.map((name, j) => [name, tensor(dtype, [], [x[j]!])] as const);
      const moved = [...change];
      for (const [k, { n, j }] of slots.entries()) {
        const to = stretches[n]!.trajectory * dim + j;
        moved[to] = (x[names.length + k]! - first[n]![j]!) / units[j]!;
      }
      return {
        ...parameters,
        ...Object.fromEntries(scalars),
        ...(ofStart ? { [startNames.change]: tensor(dtype, [starts, dim], moved) } : {}),
      };
    },
  };
}

function placesOf({ scales }: SeriesModel, stretches: readonly Stretch[], stepSize: number): Place[] {
  return stretches.flatMap((stretch, n) => {
    const { series, measured } = stretch;
    const { places } = stepsOf(stretch, stepSize);
    return measured.flatMap((k, m) =>
      scales.flatMap(({ deviation }, i): Place[] => {
        const value = series.values[k]![i]!;
        const error = series.errors?.[k]?.[i] ?? Number.NaN;
        if (Number.isNaN(value)) return [];
        return [{ n, at: places[m]!, i, value, s: Number.isNaN(error) ? deviation : error }];
      }),
    );
  });
}

/** Root of the mean square; 1 of nothing. */
function typical(values: readonly number[]): number {
  return values.length === 0 ? 1 : Math.sqrt(values.reduce((sum, s) => sum + (s * s) / values.length, 0));
}
