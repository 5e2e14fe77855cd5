import { type FloatDType, type Tensor, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Attributes, Value } from "../graph/graph.js";
import { UnsupportedOperatorError } from "../graph/model.js";
import { opset } from "../ops/opset.js";

/** A node of a model with values for its operands: an operator of some version, about to be applied. */
export interface Call {
  readonly type: string;
  /** the opset that the model uses */
  readonly version: number;
  readonly inputs: readonly (Value | null)[];
  readonly attributes: Attributes;
  /** the float type that takes the place of all others, if one does */
  readonly float: FloatDType | null;
  /** how many results the node names */
  readonly outputs: number;
}

/**
 * Applies an operator by its name.
 *
 * @throws {UnsupportedOperatorError} if revort has no record of it
 */
export function emit(
  b: Builder,
  type: string,
  inputs: readonly (Value | null)[],
  attributes: Attributes = {},
): Value {
  const op = opset.get(type);
  if (op !== undefined) return b.apply(op, inputs, attributes);
  throw new UnsupportedOperatorError(`revort has no ${type}, which this model needs.`, type, "");
}

/** A constant of one number in the type of a value. */
export function like(b: Builder, x: Value, value: number): Value {
  return b.constant(tensor(x.dtype, [], [value]) as Tensor);
}
