import { sizeOf, stridesOf, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { UnsupportedOperatorError } from "../graph/model.js";
import { onnxTypeNumber } from "../graph/types.js";
import { range } from "../ops/generate.js";
import { type Call, emit } from "./call.js";

// Operators whose results have as many elements as values say. Where the number is known all the same, they are taken.

/** NonZero: the places of what is not zero, [rank, count]. Their number must be known, so the operand must be, too. */
export function adaptNonZero(b: Builder, { inputs }: Call): readonly Value[] {
  const x = inputs[0]!;
  if (x.constant === null) {
    throw new UnsupportedOperatorError(
      "NonZero of computed values has as many results as there are values that are not zero, which is not known " +
        "when the model is read. Use Where with a condition instead.",
      "NonZero",
      "",
    );
  }
  const { data } = x.constant;
  const shape = x.shape as number[];
  const places = Array.from({ length: sizeOf(shape) }, (_, i) => i).filter((i) => Number(data[i]) !== 0);
  const strides = stridesOf(shape);
  const rows = shape.map((dim, axis) => places.map((i) => Math.floor(i / strides[axis]!) % dim));
  return [b.constant(tensor("int64", [shape.length, places.length], rows.flat()))];
}

/**
 * A Slice that starts where values say but has a known length: ends = starts + lengths, as JAX's dynamic_slice is
 * exported. One that would reach beyond the end is moved back, as JAX does; ONNX would cut it short, and give a result
 * of another shape than the rest of the model takes.
 *
 * @returns `null` for other slices
 */
export function sliceOfKnownLength(b: Builder, { inputs }: Call): Value | null {
  const [x, starts, ends, axes, steps] = inputs;
  if (!x || !starts || !ends || starts.constant !== null || starts.shape.length !== 1) return null;
  const lengths = addedTo(starts, ends);
  const unit =
    !steps || (steps.constant !== null && [...steps.constant.data].every((step) => Number(step) === 1));
  if (lengths === null || !unit || (axes && axes.constant === null)) return null;
  const along = axes?.constant ? [...axes.constant.data].map(Number) : lengths.map((_, axis) => axis);
  const dims = along.map((axis) => x.shape.at(axis));
  if (!lengths.every((length, i) => typeof dims[i] === "number" && length >= 0 && length <= dims[i]))
    return null;
  const wide = starts.dtype === "int64" ? starts : emit(b, "Cast", [starts], { to: onnxTypeNumber.int64 });
  const scalar = (value: number) => b.scalar("int64", value);
  return along.reduce((result, axis, i) => {
    const dim = dims[i] as number;
    const given = emit(b, "Gather", [wide, b.ints([i])], { axis: 0 });
    const counted = emit(b, "Where", [
      emit(b, "Less", [given, scalar(0)]),
      emit(b, "Add", [given, scalar(dim)]),
      given,
    ]);
    const last = emit(b, "Min", [counted, scalar(dim - lengths[i]!)]);
    const first = emit(b, "Max", [last, scalar(0)]);
    return emit(b, "Gather", [result, emit(b, "Add", [first, range(b, lengths[i]!)])], { axis });
  }, x);
}

/** What a constant adds to a value to give another one; `null` if nothing does. */
function addedTo(value: Value, sum: Value): number[] | null {
  if (sum.node?.op.type !== "Add") return null;
  const [left, right] = sum.node.inputs;
  const other = left === value ? right : right === value ? left : null;
  return other?.constant ? [...other.constant.data].map(Number) : null;
}
