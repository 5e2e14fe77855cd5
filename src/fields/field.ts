import type { Random } from "../core/random.js";
import { checkSize, type FloatDType, ShapeError, showShape, type Tensor, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Shape, Value } from "../graph/graph.js";

/** A trainable array of a field. */
export interface Parameter {
  readonly shape: readonly number[];
  /** its value before training, row-major */
  readonly initial: (random: Random) => ArrayLike<number>;
}

/** Values by name: the parameters of a field as graph values. */
export type Values = Readonly<Record<string, Value>>;
/** Tensors by name: the parameters of a field on the host. */
export type Tensors = Readonly<Record<string, Tensor>>;

/**
 * The right-hand side of a differential equation, as a function that builds a graph:
 *
 *   dy/dt = f(t, y; θ)
 */
export interface VectorField {
  readonly name: string;
  /** shape of the state; a leading "batch" is free */
  readonly state: Shape;
  /** θ, named like a PyTorch state dict */
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** the element type that it was written for, where it has one */
  readonly dtype?: FloatDType;
  /** parameters that have a row for each sample, where there are such */
  readonly perSample?: readonly string[];
  /**
   * how many components of a row it reads, the first ones, of a state [batch, …]: the others are integrated along with them, and
   * `apply` takes states without them, too. All where nothing is said.
   */
  readonly reads?: number;
  /** whether f jumps at some times: steps then tell it which side of a jump they are on */
  readonly jumps?: boolean;
  /** names of the components of the state, with units, for plots and files */
  readonly components?: readonly string[];
  /**
   * f(t, y; θ).
   *
   * @param parameters  the parameters, by name
   * @param t  time, a scalar of y's dtype
   * @param y  state, of the shape `state` says
   * @param inside  where f jumps, a time inside the step that it is evaluated for; nothing where it is for none
   * @returns  dy/dt, of y's type
   */
  readonly apply: (b: Builder, parameters: Values, t: Value, y: Value, inside?: Value) => Value;
}

/**
 * The parameters of a field before training: drawn in the order of their names in the record.
 *
 * @throws {SizeError} for one that no memory holds
 */
export function initialParameters(
  field: Pick<VectorField, "name" | "parameters">,
  random: Random,
  dtype: FloatDType,
): Tensors {
  for (const [name, { shape }] of Object.entries(field.parameters)) {
    checkSize(() => `The parameter "${name}" of the field "${field.name}"`, { dtype, shape });
  }
  return Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape, initial }]) => [
      name,
      tensor(dtype, shape, initial(random)),
    ]),
  );
}

/**
 * A state of the field's shape from numbers: a missing batch axis is added, a flat list is folded.
 *
 * @throws {ShapeError} if the numbers do not fill a state
 */
export function stateOf(field: VectorField, value: Tensor): Tensor {
  const { state } = field;
  const fits = (shape: readonly number[]) =>
    shape.length === state.length &&
    state.every((dim, axis) => typeof dim === "string" || dim === shape[axis]);
  if (fits(value.shape)) return value;
  const one = state.map((dim) => (typeof dim === "string" ? 1 : dim));
  if (one.reduce((p, d) => p * d, 1) === value.data.length) return { ...value, shape: one };
  throw new ShapeError(
    `The field "${field.name}" has states of shape ${showShape(state)}, but the initial state has shape ` +
      `${showShape(value.shape)}. Give ${one.reduce((p, d) => p * d, 1)} numbers per trajectory.`,
  );
}
