import { runChain } from "../chains/run-chain.js";
import { checkOptions } from "../core/options.js";
import { type FloatDType, type Tensor, tensor } from "../core/tensor.js";
import type { Values, VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralOde } from "../integrate/neural-ode.js";
import type { Interval, Method, State } from "../methods/method.js";
import { type Layer, parametersOf, partOf } from "../nn/layer.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import { and, equal, isnan, not, where } from "../ops/logic.js";
import { unsqueeze } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { concat } from "../ops/slicing.js";
import { gridTensors, gridThrough, TimeError } from "../programs/grid.js";
import { systemIn } from "../programs/inputs.js";
import { solverChain } from "../programs/solver-chain.js";
import { alongSlope, type ControlledField } from "../systems/cde.js";
import { type Interpolation, PathError } from "../systems/interpolation.js";
import type { NeuralCde } from "./cde-solve.js";
import { defineModel, type Model, type SampleType } from "./model.js";

/** Paths that no later point changes. */
export type CausalInterpolation = Exclude<Interpolation, "natural">;

export interface CdeStreamOptions {
  readonly name: string;
  /** as in `cdeSolve` */
  readonly cde: NeuralCde;
  readonly interpolation?: CausalInterpolation;
  /** from one knot to the next, in the units of the step size; 1 by default, and always for a rectilinear path */
  readonly interval?: number;
  /** z at the first point, [batch, hidden], from its values [batch, channels] */
  readonly initial: Layer;
  /** what is read off z after each point, as the output `prediction`; nothing by default */
  readonly readout?: Layer;
}

const optionNames = {
  ...{ name: true, cde: true, interpolation: true, interval: true, initial: true, readout: true },
} satisfies Record<keyof CdeStreamOptions, true>;
const toCde = "it belongs to cde, { field, method, stepSize, dtype }";
const elsewhere = { field: toCde, method: toCde, stepSize: toCde, dtype: toCde };

/** What a stream remembers between two points, each an array of every sample. */
export interface CdeStreamState extends Readonly<Record<string, SampleType>> {
  /** how many points there were; 0 for a stream that begins */
  readonly points: SampleType;
  /** the last of them */
  readonly last: SampleType;
  /** dX/dt where it arrived there */
  readonly slope: SampleType;
  readonly z: SampleType;
}

/** One step of a stream as a model: the state and the next point in, the state after it as `next/…` and a prediction out. */
export type CdeStream = Model<Readonly<Record<string, SampleType>>> & {
  readonly state: CdeStreamState;
  readonly interpolation: CausalInterpolation;
  readonly dtype: FloatDType;
};

/**
 * A controlled differential equation along points that arrive one by one: what is known of a series after each of them, at
 * the cost of one point, however many there were.
 *
 *   z(t_k+1) = z(t_k) + ∫ F(z; θ) X'(t) dt  over the knots t_k to t_k+1 = t_k + interval
 *
 * It is `cdeSolve` along the whole path, to rounding, with knots at such distances and states at all of them (`times: knots`:
 * steps end where points arrive). The state is 0 throughout before the first point. A batch holds streams that have come
 * as far as they may. As in `controlPath`, time is a channel; a point of a rectilinear path may have NaN for what was not
 * observed, where the last value goes on.
 *
 * @throws {PathError} for a path that depends on later points, or an interval that is no positive number
 * @throws {TimeError} without a step size
 * @throws {OptionError} for an option that there is not
 * @see Morrill et al. 2021, "Neural controlled differential equations for online prediction tasks"
 */
export function cdeStream(options: CdeStreamOptions): CdeStream {
  checkOptions("cdeStream", options, optionNames, elsewhere);
  const { name, cde, initial, readout } = options;
  const { hidden, channels } = cde.field;
  checkCausal(options);
  const { method } = equationOf(options);
  // all that a method carries beside y is of its size
  const carried = Array.from({ length: method.width - 1 }, (_, i) => [
    `carried.${i + 1}`,
    { shape: [hidden] },
  ]);
  const state: CdeStreamState = {
    ...{ points: { shape: [], type: "int64" }, last: { shape: [channels] }, slope: { shape: [channels] } },
    ...{ z: { shape: [hidden] }, ...Object.fromEntries(carried) },
  };
  const parts = { initial, field: cde.field, ...(readout === undefined ? {} : { readout }) };
  const model = defineModel({
    name,
    ...parametersOf(parts),
    inputs: { x: { shape: [channels] }, ...state } as Readonly<Record<string, SampleType>>,
    apply(b, theta, inputs) {
      const next = nextState(b, options, theta, inputs);
      const told = Object.entries(next).map(([key, value]) => [`next/${key}`, value] as const);
      return {
        ...(readout && { prediction: readout.apply(b, partOf(theta, "readout"), next.z!) }),
        ...Object.fromEntries(told),
      };
    },
  });
  return {
    ...model,
    state,
    interpolation: options.interpolation ?? "hermite",
    dtype: cde.dtype ?? "float64",
  };
}

/** @throws {PathError | TimeError} */
function checkCausal({ cde, interpolation = "hermite", interval = 1 }: CdeStreamOptions): void {
  if (!(cde.stepSize > 0 && Number.isFinite(cde.stepSize))) {
    throw new TimeError(
      `A stream takes steps of a given size: give cde a positive stepSize, in the units of the interval, but ${cde.stepSize} was given.`,
    );
  }
  if ((interpolation as Interpolation) === "natural") {
    throw new PathError(
      "A natural cubic spline changes everywhere with each new point, so that a stream cannot follow one. Train along a " +
        'path that is hermite, linear or rectilinear: pathCoefficients(b, times, x, "hermite").',
    );
  }
  if (!["hermite", "linear", "rectilinear"].includes(interpolation)) {
    throw new PathError(
      `There is no path "${interpolation}". A stream takes hermite, linear or rectilinear.`,
    );
  }
  if (!(interval > 0 && Number.isFinite(interval))) {
    throw new PathError(`Points are a positive distance apart, but the interval ${interval} was given.`);
  }
  if (interpolation === "rectilinear" && interval !== 1) {
    throw new PathError(
      `The knots of a rectilinear path are 0, 1, 2, …, but the interval ${interval} was given. Leave it out.`,
    );
  }
}

/** The equation from one knot to the next. */
function equationOf({ cde, interpolation = "hermite", interval = 1 }: CdeStreamOptions) {
  const { field, method, stepSize, dtype = "float64" } = cde;
  return neuralOde({
    field: betweenKnots(field, interpolation, interval),
    ...(method === undefined ? {} : { method }),
    ...{ stepSize, dtype },
  });
}

/** What a field between knots reads beside its parameters: dX/dt where the path arrived, and that to the next knot. */
const [beforeName, ownName] = ["slope/before", "slope/own"];

/** z' = F(z; θ) X'(t) on 0 ≤ t ≤ interval, X' at both ends that between them. */
function betweenKnots(
  field: ControlledField,
  interpolation: CausalInterpolation,
  interval: number,
): VectorField {
  return {
    name: `${field.name} between points`,
    state: ["batch", field.hidden],
    parameters: field.parameters,
    apply(b, theta, t, z) {
      const { [beforeName]: before, [ownName]: own } = theta as Record<string, Value>;
      if (interpolation !== "hermite") return alongSlope(b, field, theta, z, own!);
      // X' = m₀ + (m₁ − m₀) u (4 − 3 u), u = t / interval
      const u = mul(b, t, 1 / interval);
      const share = mul(b, u, sub(b, 4, mul(b, u, 3)));
      return alongSlope(b, field, theta, z, add(b, before!, mul(b, sub(b, own!, before!), share)));
    },
  };
}

/** The state after one more point. */
function nextState(b: Builder, options: CdeStreamOptions, theta: Values, given: Values): Values {
  const { interpolation = "hermite", interval = 1, initial } = options;
  const { points, last, x: observed } = given as Record<"points" | "last" | "x", Value>;
  const [isFirst, isSecond] = [equal(b, points, 0), equal(b, points, 1)].map((one) =>
    unsqueeze(b, one, [1]),
  ) as [Value, Value];
  const isRectilinear = interpolation === "rectilinear";
  const x = isRectilinear ? where(b, and(b, isnan(b, observed), not(b, isFirst)), last, observed) : observed;
  // time goes on first, then the other channels change
  const legs = isRectilinear
    ? [concat(b, [slice(b, x, 1, 0, 1), slice(b, last, 1, 1, last.shape[1] as number)], 1), x]
    : [x];
  let at: Place = { x: last, slope: given.slope!, state: stateIn(given) };
  for (const [leg, to] of legs.entries()) {
    const own = div(b, sub(b, to, at.x), interval);
    // on the first interval of all there is none before
    const before = leg === 0 ? where(b, isSecond, own, at.slope) : at.slope;
    const moved = advanced(
      b,
      options,
      partOf(theta, "field"),
      { ...at, before, own },
      leg === 0 ? isSecond : null,
    );
    at = { x: to, slope: own, state: moved };
  }
  const z0 = initial.apply(b, partOf(theta, "initial"), observed);
  const [z, ...carried] = at.state;
  const blank = zerosLike(b, z0);
  return {
    points: add(b, points, b.scalar("int64", 1)),
    last: x,
    slope: where(b, isFirst, zerosLike(b, at.slope), at.slope),
    z: where(b, isFirst, z0, z),
    ...Object.fromEntries(carried.map((value, i) => [`carried.${i + 1}`, where(b, isFirst, blank, value)])),
  };
}

interface Place {
  readonly x: Value;
  readonly slope: Value;
  readonly state: State;
}

function stateIn(given: Values): State {
  const carried = Object.keys(given).filter((name) => name.startsWith("carried."));
  return [given.z!, ...carried.map((_, i) => given[`carried.${i + 1}`]!)];
}

/** The state of the method at the next knot. @param begins  where it has y alone so far, [batch, 1] */
function advanced(
  b: Builder,
  options: CdeStreamOptions,
  theta: Values,
  { state, before, own }: Pick<Place, "state"> & Readonly<Record<"before" | "own", Value>>,
  begins: Value | null,
): State {
  const { field, method, stepSize, dtype } = equationOf(options);
  const shared = { ...theta, [beforeName]: before, [ownName]: own };
  const grid = gridThrough(0, [options.interval ?? 1], stepSize);
  const { offsets: _, ...times } = gridTensors(grid, dtype);
  const rows = Object.fromEntries(
    Object.entries(times).map(([name, value]) => [name, b.constant(value as Tensor)]),
  ) as unknown as Interval;
  const start = begins === null ? state : startedWhere(b, { field, method, dtype }, begins, shared, state);
  const steps = grid.times.length - 1;
  return runChain(b, solverChain({ field, method }), { start, shared, rows, steps }, { adjoint: "direct" })
    .end;
}

/** A method may begin with slopes of the first interval, which is not known before the second point. */
function startedWhere(
  b: Builder,
  { field, method, dtype }: { field: VectorField; method: Method; dtype: "float32" | "float64" },
  begins: Value,
  shared: Values,
  state: State,
): State {
  const begun = method.start(systemIn(b, field, shared), b.constant(tensor(dtype, [], [0])), state[0]);
  return state.map((value, i) => where(b, begins, begun[i]!, value)) as unknown as State;
}
