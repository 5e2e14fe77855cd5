import { type DType, ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Attributes, GraphError, showType, type Value } from "../graph/graph.js";

/** What an emitting function takes: a value, or a number that becomes a scalar of the other operand's dtype. */
export type Operand = Value | number;

export function operand(b: Builder, x: Operand, dtype: DType): Value {
  return typeof x === "number" ? b.scalar(dtype, x) : x;
}

/** Both operands as values of one dtype. */
export function operands(b: Builder, x: Operand, y: Operand): [Value, Value] {
  if (typeof x !== "number") return [x, operand(b, y, x.dtype)];
  if (typeof y !== "number") return [operand(b, x, y.dtype), y];
  throw new GraphError("At least one operand must be a value of the graph, but both are numbers.");
}

/** A required input. */
export function required(op: string, inputs: readonly (Value | null)[], index: number): Value {
  const value = inputs[index];
  if (value === null || value === undefined) {
    throw new GraphError(`${op} needs at least ${index + 1} inputs, but input ${index} is missing.`);
  }
  return value;
}

/** @throws {ShapeError} if an operand, where it is given, is not one number: a scalar or a vector of one element */
export function checkSingle(op: string, what: string, value: Value | null | undefined): void {
  if (value === null || value === undefined) return;
  if (value.shape.length === 0 || (value.shape.length === 1 && value.shape[0] === 1)) return;
  throw new ShapeError(`${op}: ${what} must be one number, but is ${showType(value)}.`);
}

/** The integers of an input that must be constant: axes, a shape, bounds. */
export function constantInts(
  op: string,
  what: string,
  value: Value | null | undefined,
): readonly number[] | null {
  if (value === null || value === undefined) return null;
  if (value.constant === null) {
    throw new GraphError(
      `${op}: ${what} must be known when the graph is built, but it is computed from the graph's inputs. ` +
        "Give the graph concrete input shapes.",
    );
  }
  if (value.shape.length > 1) {
    throw new ShapeError(`${op}: ${what} must be a list, but is ${showType(value)}.`);
  }
  return Array.from(value.constant.data as ArrayLike<number | bigint>, Number);
}

/** A float attribute as ONNX keeps it, rounded to float32: the same number in a graph and in its file. */
export function floatOf(attributes: Attributes, name: string, otherwise: number): number {
  return Math.fround((attributes[name] as number | undefined) ?? otherwise);
}

/** An integer attribute. */
export function intOf(attributes: Attributes, name: string, otherwise: number): number {
  return (attributes[name] as number | undefined) ?? otherwise;
}
