import { checkOptions, OptionError, showValue } from "../core/options.js";
import { isFloat } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { GradientRequest } from "../gradients/method.js";
import type { Builder } from "../graph/builder.js";
import { isValue, type Shape, type Value } from "../graph/graph.js";
import { type NeuralOde, neuralOde } from "../integrate/neural-ode.js";
import type { Training } from "../nn/layer.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { sign } from "../ops/elementwise.js";
import { zerosLike } from "../ops/generate.js";
import { squeeze } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { concat, gather } from "../ops/slicing.js";
import {
  type Column,
  DensityError,
  dimensionOf,
  probeName,
  type Trace,
  withDensity,
} from "../systems/divergence.js";
import { odeSolve } from "./ode-solve.js";

/** A distribution of rows whose density is known. */
export interface BaseDistribution {
  readonly name: string;
  /** log p(y), [batch], of rows y [batch, dim] */
  readonly logDensity: (b: Builder, y: Value) => Value;
}

/** N(0, I): log p(y) = −½ (‖y‖² + dim ln 2π). */
export const standardNormal: BaseDistribution = {
  name: "N(0, I)",
  logDensity(b, y) {
    const dim = y.shape.at(-1) as number;
    return mul(b, add(b, reduceSum(b, mul(b, y, y), [-1]), dim * Math.log(2 * Math.PI)), -0.5);
  },
};

export interface FlowOptions {
  /** dy/dt = f(t, y; θ) with its solver and step size, states [batch, dim] */
  readonly ode: NeuralOde;
  /** the time of the data; those of the base distribution have time 0 */
  readonly t1?: number;
  readonly base?: BaseDistribution;
  /** "exact" by default: as many pullbacks as there are components */
  readonly trace?: Trace;
  /** of Hutchinson's ε: ±1 with equal probability, or standard normal */
  readonly probe?: "rademacher" | "gaussian";
  /** what else is integrated along, over |dt|: ∫‖f‖² dt, ∫‖∂f/∂y‖² dt */
  readonly regularisers?: readonly Exclude<Column, "trace">[];
}

const optionNames = {
  ...{ ode: true, t1: true, base: true, trace: true, probe: true, regularisers: true },
} satisfies Record<keyof FlowOptions, true>;

const elsewhere = {
  ...{
    field: "a field belongs to neuralOde: ode: neuralOde({ field, … })",
    method: "it belongs to neuralOde",
  },
  ...{
    stepSize: "it belongs to neuralOde",
    epsilon: "its distribution is probe, itself it is given to logDensity",
  },
};

/** How the density of a point is found. */
export interface DensityRequest {
  readonly theta: Values;
  /** [batch, dim] */
  readonly x: Value;
  readonly gradient?: GradientRequest;
  readonly training?: Training | null;
  /** ε [batch, dim] of Hutchinson's estimator; drawn in training, where none is given */
  readonly probe?: Value;
}

const sampleRequest = { theta: true, gradient: true, training: true } as const;
const requestNames = { ...sampleRequest, x: true, probe: true } satisfies Record<keyof DensityRequest, true>;
const sampleNames = { ...sampleRequest, base: true };

/** The density of points, each value [batch]. */
export interface FoundDensity {
  /** log p(x) */
  readonly logDensity: Value;
  /** where the points come from in the base distribution, [batch, dim] */
  readonly base: Value;
  /** ∫‖f‖² dt and ∫‖∂f/∂y‖² dt along the way, where they were asked for */
  readonly kinetic: Value | null;
  readonly jacobian: Value | null;
}

/** A continuous normalising flow. */
export interface Flow {
  readonly dim: number;
  readonly ode: NeuralOde;
  readonly logDensity: (b: Builder, request: DensityRequest) => FoundDensity;
  /** Points of the model from points of the base distribution, each [batch, dim]. */
  readonly sample: (
    b: Builder,
    request: Omit<DensityRequest, "x" | "probe"> & { readonly base: Value },
  ) => Value;
}

/**
 * A continuous normalising flow: the solution of dy/dt = f(t, y; θ) from t = 0, where y has a known distribution, to t1,
 * where it is that of the data:
 *
 *   log p(x) = log p₀(y(0)) − ∫₀^t1 tr ∂f/∂y dt,   y(t1) = x
 *
 * @throws {OptionError} for an option that there is not, or one with a value that it cannot have
 * @throws {DensityError} for a field whose states are not rows of numbers
 * @see Chen et al. 2018; Grathwohl et al. 2019, "FFJORD"; Finlay et al. 2020, "How to train your neural ODE"
 */
export function normalisingFlow(options: FlowOptions): Flow {
  checkFlow(options);
  const { ode, t1 = 1, base = standardNormal, trace = "exact" } = options;
  const { probe: kind = "rademacher", regularisers = [] } = options;
  const { field, method, stepSize, dtype } = ode;
  const dim = dimensionOf(field);
  const augmented = withDensity(field, { trace, regularisers });
  const whole = neuralOde({ field: augmented, method, stepSize, dtype });
  const width = (augmented.state[1] as number) - dim;
  const extra = [...regularisers].sort((one, other) => (one === other ? 0 : one === "kinetic" ? -1 : 1));

  return {
    dim,
    ode,
    logDensity(b, request) {
      checkOptions("logDensity", request, requestNames, { y: "the points are x", base: "the points are x" });
      const { theta, x, gradient = "auto", training = null, probe } = request;
      checkPoints("x", x, dim);
      const known = trace === "exact" ? {} : { [probeName]: probe ?? drawn(b, training, kind, x.shape) };
      const nothing = zerosLike(b, slice(b, x, 1, 0, 1));
      const state = concat(b, [x, ...Array.from({ length: width }, () => nothing)], 1);
      const ys = odeSolve(b, whole, {
        ...{ theta: { ...theta, ...known }, y0: state, t0: t1, times: [0], gradient, training },
      });
      const end = gather(b, ys, 0);
      const y0 = slice(b, end, 1, 0, dim);
      const column = (k: number) => squeeze(b, slice(b, end, 1, dim + k, dim + k + 1), [1]);
      // Going from t1 to 0, the columns are integrals with their sign turned: ℓ(0) = −∫₀^t1 tr ∂f/∂y dt. Those of squares are
      // over |dt|, whichever way time goes.
      const along = (name: Column) => {
        const k = extra.indexOf(name as Exclude<Column, "trace">);
        if (k < 0) return null;
        return t1 > 0 ? mul(b, column(k + 1), -1) : column(k + 1);
      };
      return {
        logDensity: add(b, base.logDensity(b, y0), column(0)),
        base: y0,
        kinetic: along("kinetic"),
        jacobian: along("jacobian"),
      };
    },
    sample(b, request) {
      checkOptions("sample", request, sampleNames, { x: "points of the base distribution are base" });
      const { theta, base: y0, gradient = "auto", training = null } = request;
      checkPoints("base", y0, dim);
      return gather(b, odeSolve(b, ode, { theta, y0, t0: 0, times: [t1], gradient, training }), 0);
    },
  };
}

/** @throws {OptionError} */
function checkFlow(options: FlowOptions): void {
  checkOptions("normalisingFlow", options, optionNames, elsewhere);
  const { ode, t1 = 1, base = standardNormal } = options;
  const { trace = "exact", probe = "rademacher", regularisers = [] } = options;
  if (typeof ode !== "object" || ode === null || !("field" in ode)) {
    throw new OptionError(
      `A flow solves what neuralOde({ field, … }) returns, but ode is ${showValue(ode)}.`,
    );
  }
  if (!Number.isFinite(t1) || t1 === 0) {
    throw new OptionError(`A flow goes from t = 0 to another time, but t1 is ${showValue(t1)}.`);
  }
  if (typeof base !== "object" || base === null || typeof base.logDensity !== "function") {
    throw new OptionError(
      "The base distribution of a flow is standardNormal, or another { name, logDensity: (b, y) => … }, but " +
        `${showValue(base)} was given.`,
    );
  }
  const known = (what: string, value: string, values: readonly string[]) => {
    if (values.includes(value)) return;
    throw new OptionError(
      `normalisingFlow: ${what} is one of ${values.join(", ")}, but ${showValue(value)} was given.`,
    );
  };
  known("trace", trace, ["exact", "hutchinson"]);
  known("probe", probe, ["rademacher", "gaussian"]);
  for (const name of regularisers) known("a regulariser", name, ["kinetic", "jacobian"]);
}

/** @throws {DensityError} */
function checkPoints(name: "x" | "base", points: Value | undefined, dim: number): void {
  if (!isValue(points)) {
    throw new DensityError(
      `The flow takes points ${name}, [batch, ${dim}] values of the graph, but ${name} is ${showValue(points)}.`,
    );
  }
  const { shape, dtype } = points;
  if (shape.length === 2 && shape[1] === dim && isFloat(dtype)) return;
  throw new DensityError(
    `The flow takes points [batch, ${dim}], but ${dtype} [${shape.join(", ")}] were given.`,
  );
}

/** ε, new for each update. @throws {DensityError} outside of training, where nothing is random */
function drawn(
  b: Builder,
  training: Training | null,
  kind: NonNullable<FlowOptions["probe"]>,
  points: Shape,
): Value {
  if (training === null) {
    throw new DensityError(
      "Hutchinson's estimator is random, so outside of training it takes its ε from you: give probe, or an exact trace.",
    );
  }
  // what is trained has batches of a known size
  const shape = points as readonly number[];
  if (kind === "gaussian") return training.normal(b, shape);
  // never 0: u is in [0, 1)
  return sign(b, sub(b, add(b, training.uniform(b, shape), 2 ** -30), 0.5));
}
