import { Random } from "../../core/random.js";
import { type Tensor, tensor } from "../../core/tensor.js";
import { initialParameters, type Tensors, type VectorField } from "../../fields/field.js";
import { isSymbolic } from "../../fields/symbolic/symbolic-field.js";
import type { Runtime } from "../../runtime/runtime.js";
import { leastSquares } from "../../train/least-squares.js";
import type { TrainedTask } from "../task-experiment.js";
import { seriesPoint } from "./estimates.js";
import { type SeriesModel, startNames } from "./model.js";
import type { SampleShape, Stretch } from "./samples.js";

/** What a search looks for: what nobody has said of parameters and of the initial values of hidden states. */
export interface Search {
  readonly seed: number;
  /** parameters that were not given */
  readonly open: readonly string[];
  /** hidden states of which no initial value was given */
  readonly openHidden: readonly string[];
  /** points that are looked at; 1500 by default */
  readonly points?: number;
}

/** What was found: parameters by name, and the initial state of each stretch, hidden components last. */
export interface SearchedStart {
  readonly parameters: Readonly<Record<string, number>>;
  readonly states: readonly (readonly number[])[];
  /** all that is trained, with these among it */
  readonly tensors: Tensors;
  /** mean square residual there */
  readonly cost: number;
}

/** Points that are looked at, and those of them that a descent starts from. */
const [usualPoints, descents] = [1500, 12];
/** Decades below and above a guess among which points are drawn. */
const [below, above] = [4, 1.5];
/** The share of initial values that are positive, as most quantities are. */
const positive = 0.75;
/** The share of points at which observed states start at their first rows, whose errors may be larger than what they are of. */
const kept = 0.5;

/**
 * Where a fit of equations with states that were not observed may start. What is observed cannot be put into equations that have
 * others in them, so points are drawn, parameters and initial values over decades about their guesses, and Levenberg–Marquardt
 * goes on from the best of them. The same seed finds the same start.
 *
 * @returns `null` where the equations have no solution at any of the points
 */
export async function searchedStart(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  trained: TrainedTask,
  { seed, open, openHidden, points = usualPoints }: Search,
): Promise<SearchedStart | null> {
  const { field } = setting;
  const names = open.length === 0 && openHidden.length === 0 ? [] : scalarsOf(field);
  const point = await seriesPoint(setting, stretches, shape, trained, names);
  const { start, named, slots } = point;
  const bounds = isSymbolic(field) ? field.named : {};
  const low = start.map(
    (_, j) => bounds[names[j] ?? ""]?.low ?? hiddenBound(setting, named[j - names.length], "low"),
  );
  const high = start.map(
    (_, j) => bounds[names[j] ?? ""]?.high ?? hiddenBound(setting, named[j - names.length], "high"),
  );
  const random = Random.seeded(seed);
  const drawn = (): number[] => {
    const hidden = new Map(
      openHidden.map((component) => [component, sign(random) * multiple(random, -1.5, 1.5)] as const),
    );
    const keepsFirst = random.uniform(0, 1) < kept;
    return start.map((value, j) => {
      const k = j - names.length;
      const within = (x: number) => Math.min(high[j]!, Math.max(low[j]!, x));
      if (k < 0) return within(open.includes(names[j]!) ? value * multiple(random, -below, above) : value);
      const slot = named[k];
      if (slot !== undefined) return within(value * (hidden.get(slot.component) ?? 1));
      const { mean, deviation } = setting.scales[slots[k]!.j]!;
      return keepsFirst ? value : (Math.sign(mean) || 1) * deviation * multiple(random, -3, 0);
    });
  };
  try {
    const tried: { readonly x: readonly number[]; readonly cost: number }[] = [];
    for (let i = 0; i < points; i++) {
      const x = i === 0 ? start : drawn();
      const found = await point.residuals(x);
      const cost = found === null ? Number.NaN : squares(found.residuals);
      if (Number.isFinite(cost)) tried.push({ x, cost });
    }
    tried.sort((one, other) => one.cost - other.cost);
    let best: { readonly x: readonly number[]; readonly cost: number } | null = tried[0] ?? null;
    for (const { x } of tried.slice(0, descents)) {
      const found = await leastSquares((at) => point.residuals(at), x, { low, high });
      if (found !== null && found.cost < best!.cost) best = found;
    }
    if (best === null) return null;
    const { cost } = best;
    // what has no effect was drawn for nothing
    const slopes = (await point.residuals(best.x))!.jacobian;
    const x = best.x.map((value, j) => (slopes[j]!.every((slope) => slope === 0) ? start[j]! : value));
    return {
      parameters: Object.fromEntries(names.map((name, j) => [name, x[j]!])),
      ...{ states: point.statesAt(x), tensors: point.parametersAt(x) },
      cost: cost / point.observations,
    };
  } finally {
    await point.release();
  }
}

function hiddenBound(
  { hiddenStarts = {} }: SeriesModel,
  slot: { component: string } | undefined,
  end: "low" | "high",
) {
  return hiddenStarts[slot?.component ?? ""]?.[end] ?? (end === "low" ? -Infinity : Infinity);
}

const scalarsOf = ({ parameters }: VectorField) =>
  Object.keys(parameters).filter((name) => parameters[name]!.shape.length === 0);

/** What is trained of a model as it begins. */
export function untrained(setting: SeriesModel, runtime: Runtime, seed: number): TrainedTask {
  const { field, dtype } = setting;
  const parameters = { ...initialParameters(field, Random.seeded(seed), dtype), ...changeOf(setting) };
  return { runtime, dtype, buffers: {}, parameters };
}

function changeOf({ startChange, starts, dtype }: SeriesModel): Record<string, Tensor> {
  if (startChange === undefined) return {};
  return { [startNames.change]: tensor(dtype, [starts, startChange.length / starts], startChange) };
}

const multiple = (random: Random, low: number, high: number) => 10 ** random.uniform(low, high);

const sign = (random: Random) => (random.uniform(0, 1) < positive ? 1 : -1);

const squares = (values: readonly number[]) => values.reduce((sum, value) => sum + value * value, 0);
