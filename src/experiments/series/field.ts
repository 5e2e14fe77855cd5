import { tensor } from "../../core/tensor.js";
import { type Activation, activations } from "../../fields/activations.js";
import type { Parameter, Values, VectorField } from "../../fields/field.js";
import { mlp } from "../../fields/mlp.js";
import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/graph.js";
import { drivenBy } from "../../models/own-steps.js";
import { add, div, mul, sub } from "../../ops/arithmetic.js";
import { gemm } from "../../ops/linalg.js";
import { slice } from "../../ops/slice.js";
import { concat } from "../../ops/slicing.js";
import type { Scale } from "./series-set.js";

export interface PerceptronOptions {
  /** names of the components of the state, hidden ones with them */
  readonly components: readonly string[];
  readonly hidden: readonly number[];
  readonly activation: Activation;
  /** whether it sees time */
  readonly time: boolean;
  /** of each component */
  readonly scales: readonly Scale[];
  /** of each input */
  readonly inputs: readonly Scale[];
  /** from the first time to the last, over all trajectories */
  readonly span: readonly [start: number, end: number];
  /** the time in which states change by about their deviation: rates are of order one in its units */
  readonly timescale: number;
}

/**
 * A perceptron in the units of the data, driven by inputs u where there are any:
 *
 *   dy/dt = s g((t − t₀)/T, (y − m)/s, (u − mᵤ)/sᵤ) / τ
 *
 * with m and s the mean and the deviation of each column, T the time from the first to the last, and τ the time in which
 * states change by about their deviation. Without it, a field of many periods would have to grow by as many times before it
 * moves at all. Times may be those of each sample, [batch, 1].
 */
export function perceptron(options: PerceptronOptions): VectorField {
  const { components, hidden, activation, time, scales, inputs, span, timescale } = options;
  const dim = components.length;
  const layers = hidden.length;
  const [start, end] = span;
  return {
    name: `mlp(${hidden.join("-")}, ${activation})`,
    state: ["batch", dim],
    components,
    parameters: parametersOf(dim, dim + inputs.length + (time ? 1 : 0), options),
    apply(b, theta, t, y) {
      const parts = [
        ...(time ? [columnOf(b, mul(b, sub(b, t, start), 1 / (end - start)), y)] : []),
        standardised(b, y, scales),
        ...(inputs.length > 0 ? [standardised(b, driveAt(b, theta, t), inputs)] : []),
      ];
      let x = parts.length === 1 ? parts[0]! : concat(b, parts, 1);
      for (let i = 0; i <= layers; i++) {
        x = gemm(b, x, theta[`layers.${i}.weight`]!, theta[`layers.${i}.bias`]!, { transB: 1 });
        if (i < layers) x = activations[activation](b, x);
      }
      return mul(
        b,
        x,
        row(
          b,
          y,
          scales.map(({ deviation }) => deviation / timescale),
        ),
      );
    },
  };
}

/** Those of a perceptron of the library, with other numbers of inputs and outputs. */
function parametersOf(
  outputs: number,
  width: number,
  { hidden, activation }: PerceptronOptions,
): Record<string, Parameter> {
  const { parameters } = mlp({ dim: width, hidden, activation, time: false });
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, initial }]) => {
      const isLast = name.startsWith(`layers.${hidden.length}.`);
      const own = isLast ? [outputs, ...shape.slice(1)] : shape;
      const size = own.reduce((p, d) => p * d, 1);
      return [
        name,
        { shape: own, initial: (random) => Array.from(initial(random)).slice(0, size) } satisfies Parameter,
      ];
    }),
  );
}

/** u(t) = u₀ + (t − t₀) u' of the step. */
export function driveAt(b: Builder, theta: Values, t: Value): Value {
  const [start, slope, from] = [theta[drivenBy.start]!, theta[drivenBy.slope]!, theta[drivenBy.from]!];
  return add(b, start, mul(b, sub(b, t, from), slope));
}

function standardised(b: Builder, value: Value, scales: readonly Scale[]): Value {
  const shifted = sub(
    b,
    value,
    row(
      b,
      value,
      scales.map(({ mean }) => mean),
    ),
  );
  return div(
    b,
    shifted,
    row(
      b,
      value,
      scales.map(({ deviation }) => deviation),
    ),
  );
}

const row = (b: Builder, { dtype }: Value, values: readonly number[]) =>
  b.constant(tensor(dtype, [values.length], values));

/** A time as a column beside y: of each sample its own, or one for all. */
function columnOf(b: Builder, t: Value, y: Value): Value {
  const zero = mul(b, slice(b, y, 1, 0, 1), 0);
  return add(b, zero, t);
}
