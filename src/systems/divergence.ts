import { pullback } from "../autodiff/vjp.js";
import { RevortError } from "../core/errors.js";
import { tensor } from "../core/tensor.js";
import type { Values, VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul } from "../ops/arithmetic.js";
import { expandTo, reduceSum } from "../ops/broadcast.js";
import { zerosLike } from "../ops/generate.js";
import { slice } from "../ops/slice.js";
import { concat } from "../ops/slicing.js";

/** A density that cannot be followed. */
export class DensityError extends RevortError {}

/** What is integrated along with the state, for each sample. */
export interface AlongTheWay {
  /** tr ∂f/∂y, or an estimate of it */
  readonly trace: Value;
  /** ‖f‖² */
  readonly kinetic: Value;
  /** ‖εᵀ ∂f/∂y‖²; with an exact trace ‖∂f/∂y‖² in the Frobenius norm, its expectation */
  readonly jacobian: Value;
}

/** How tr ∂f/∂y is found. */
export type Trace =
  /** by one pullback for each component */
  | "exact"
  /** εᵀ (∂f/∂y) ε, with one ε for the whole solve: Hutchinson's estimator */
  | "hutchinson";

/** What a field reads as ε, beside its parameters. */
export const probeName = "probe";

/** The state of {@link withDensity}: that of the field, then one column for each of these. */
const columns = ["trace", "kinetic", "jacobian"] as const satisfies readonly (keyof AlongTheWay)[];
export type Column = (typeof columns)[number];

/**
 * dy/dt = f(t, y; θ) along with what a density of its solutions needs:
 *
 *   d/dt [y, ℓ] = [f, tr ∂f/∂y],   so that log p(y(t1), t1) = log p(y(t0), t0) − (ℓ(t1) − ℓ(t0))
 *
 * on states [batch, dim + 1], with more columns where they are asked for: ∫‖f‖² and ∫‖∂f/∂y‖², by which flows are kept
 * simple. With Hutchinson's estimator, θ has one more entry: `probe`, ε [batch, dim].
 *
 * @throws {DensityError} for a field whose states are not rows of numbers
 * @see Chen et al. 2018, "Neural Ordinary Differential Equations"; Grathwohl et al. 2019, "FFJORD"
 */
export function withDensity(
  field: VectorField,
  {
    trace = "exact",
    regularisers = [],
  }: { readonly trace?: Trace; readonly regularisers?: readonly Exclude<Column, "trace">[] } = {},
): VectorField {
  const dim = dimensionOf(field);
  if (trace === "hutchinson" && Object.hasOwn(field.parameters, probeName)) {
    throw new DensityError(
      `The field "${field.name}" has a parameter "${probeName}", which is what Hutchinson's estimator reads its ε as. Name it otherwise.`,
    );
  }
  const wanted = columns.filter((name) => name === "trace" || regularisers.includes(name));
  return {
    name: `${field.name} with its density`,
    state: ["batch", dim + wanted.length],
    parameters: field.parameters,
    reads: dim,
    ...(field.jumps === undefined ? {} : { jumps: field.jumps }),
    apply(b, theta, t, state, inside) {
      const y = slice(b, state, 1, 0, dim);
      const { slope, ...found } = divergenceOf(b, field, { theta, t, y, inside }, trace);
      return concat(b, [slope, ...wanted.map((name) => found[name])], 1);
    },
  };
}

/** The number of components of a state. @throws {DensityError} */
export function dimensionOf({ name, state }: VectorField): number {
  const [batch, dim] = state;
  if (state.length === 2 && typeof batch === "string" && typeof dim === "number") return dim;
  throw new DensityError(
    `A density is followed on states [batch, dim], but those of the field "${name}" are [${state.join(", ")}]. ` +
      "Flatten the state: reshape it within the field.",
  );
}

/** f(t, y; θ), tr ∂f/∂y and the rest, each column [batch, 1]. */
function divergenceOf(
  b: Builder,
  field: VectorField,
  { theta, t, y, inside }: { theta: Values; t: Value; y: Value; inside: Value | undefined },
  trace: Trace,
): AlongTheWay & { readonly slope: Value } {
  if (y.constant !== null) {
    throw new DensityError(
      "A derivative by the state was asked for at a constant one. Make it an input of the graph.",
    );
  }
  const slope = field.apply(b, theta, t, y, inside);
  const dim = dimensionOf(field);
  const probes = trace === "exact" ? unitRows(b, y, dim) : [probeOf(theta)];
  // rows of εᵀ ∂f/∂y
  const rows = probes.map((probe) => pullback(b, [slope], [probe], [y])[0] ?? zerosLike(b, y));
  const total = (terms: readonly Value[]) =>
    reduceSum(
      b,
      terms.reduce((sum, term) => add(b, sum, term)),
      [1],
      true,
    );
  return {
    slope,
    trace: total(rows.map((row, i) => mul(b, row, probes[i]!))),
    kinetic: total([mul(b, slope, slope)]),
    jacobian: total(rows.map((row) => mul(b, row, row))),
  };
}

function unitRows(b: Builder, y: Value, dim: number): Value[] {
  return Array.from({ length: dim }, (_, i) => {
    const unit = Array.from({ length: dim }, (_, k) => (k === i ? 1 : 0));
    return expandTo(b, b.constant(tensor(y.dtype, [1, dim], unit)), y);
  });
}

function probeOf(theta: Values): Value {
  const probe = theta[probeName];
  if (probe !== undefined) return probe;
  throw new DensityError(
    `Hutchinson's estimator needs a random vector: give θ the entry "${probeName}", [batch, dim], the same for a whole solve.`,
  );
}
