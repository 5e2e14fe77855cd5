import { numbers, tensor } from "../../core/tensor.js";
import type { Tensors } from "../../fields/field.js";
import type { Value } from "../../graph/graph.js";
import { defineModel, type Model } from "../../models/model.js";
import { predictionProgram } from "../../models/task-measures.js";
import { compileProgram, downloadTree, uploadTree } from "../../runtime/compile-program.js";
import { withSensitivities } from "../../systems/sensitivities.js";
import { type Estimation, type EstimationOptions, estimation, roundingOf } from "../../train/estimation.js";
import type { Residuals } from "../../train/least-squares.js";
import type { TrainedTask } from "../task-experiment.js";
import { type SeriesModel, sampleTypes, startNames, statesOf } from "./model.js";
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
 * initial states are trained, those of each trajectory are estimated with them. Residuals are (y(tₖ) − data)ᵢ over the error of
 * the measurement where that is known, else over the deviation of the column.
 */
export async function seriesEstimate(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  trained: TrainedTask,
  options: Omit<EstimationOptions, "scale">,
): Promise<SeriesEstimate> {
  const { names } = options;
  const point = await pointOf(setting, stretches, shape, trained, names);
  const { start, observations, scale } = point;
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
    const found = await estimation({ start, residuals, components, dim, rounding }, { ...options, scale });
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

async function pointOf(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  { runtime, dtype, parameters }: TrainedTask,
  names: readonly string[],
) {
  const { scales, starts } = setting;
  const dim = scales.length;
  const ofStart = starts > 0;
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
  const first = stretches.map((stretch) => scales.map((_, j) => firstValue(stretch.series, stretch.from, j)));
  const change = ofStart ? numbers(parameters[startNames.change]!) : [];
  const y0 = stretches.map(({ trajectory }, n) =>
    first[n]!.map((value, j) => value + (ofStart ? change[trajectory * dim + j]! * scales[j]!.deviation : 0)),
  );
  const places = placesOf(setting, stretches, shape.stepSize);

  async function residuals(x: readonly number[]): Promise<Residuals | null> {
    const rows = ofStart
      ? y0.map((_, n) => x.slice(names.length + n * dim, names.length + (n + 1) * dim))
      : y0;
    const wideRows = rows.flatMap((row) => sensitivities.start(row));
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
    const ofStates = ofStart
      ? stretches.flatMap((_, n) =>
          scales.map((__, j) => {
            const c = dim * (1 + names.length + j);
            return from.map((place, k) => (places[k]!.n === n ? states[place + c]! / places[k]!.s : 0));
          }),
        )
      : [];
    return {
      residuals: from.map((place, k) => (states[place]! - places[k]!.value) / places[k]!.s),
      jacobian: [...names.map((__, j) => column(j)), ...ofStates],
    };
  }

  return {
    residuals,
    ...{ observations: places.length, components: places.map(({ i }) => i) },
    rounding: roundingOf(places, dtype),
    scale: scales.map((_, i) => typical(places.filter((place) => place.i === i).map(({ s }) => s))),
    start: [...names.map((name) => Number(parameters[name]!.data[0])), ...(ofStart ? y0.flat() : [])],
    release: () => compiled.release(),
    parametersAt(x: readonly number[]): Tensors {
      const scalars = names.map((name, j) => [name, tensor(dtype, [], [x[j]!])] as const);
      const moved = [...change];
      for (const [n, { trajectory }] of stretches.entries()) {
        if (!ofStart) break;
        for (const [j, { deviation }] of scales.entries())
          moved[trajectory * dim + j] = (x[names.length + n * dim + j]! - first[n]![j]!) / deviation;
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
