import { tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Dim, Value } from "../graph/graph.js";
import { ModelError } from "../graph/model.js";
import { dimsOf, isStatic } from "../ops/dims.js";
import { type Call, emit } from "./call.js";

// Exporters compute with shapes at run time. Where the batch is symbolic, most of it is known all the same.

/** An integer computed from shapes as a constant, if the dimensions that it takes from them are static. */
export function knownDims(b: Builder, value: Value): Value {
  if (value.constant !== null || value.dtype !== "int64" || value.shape.length > 1) return value;
  const dims = dimsOf(value);
  return dims !== null && isStatic(dims) ? b.constant(tensor("int64", value.shape as number[], dims)) : value;
}

/** Equal of dimensions: exporters ask whether one is −1, which the size of a batch never is. */
export function adaptEqual(b: Builder, call: Call): Call | readonly Value[] {
  const [x, y] = call.inputs;
  const [left, right] = [x && dimsOf(x), y && dimsOf(y)];
  if (!left || !right || !x || !y || (isStatic(left) && isStatic(right))) return call;
  const at = (dims: readonly Dim[], i: number) => dims[dims.length === 1 ? 0 : i];
  const equal = Array.from({ length: Math.max(left.length, right.length) }, (_, i) =>
    isSame(at(left, i), at(right, i)),
  );
  if (equal.includes(null)) return call;
  const shape = x.shape.length === 0 && y.shape.length === 0 ? [] : [equal.length];
  return [b.constant(tensor("bool", shape, equal as boolean[]))];
}

function isSame(x: Dim | undefined, y: Dim | undefined): boolean | null {
  if (x === y) return true;
  if (typeof x === "number" && typeof y === "number") return false;
  return Number(x) < 0 || Number(y) < 0 ? false : null;
}

/** ConstantOfShape with its value written out; where its shape is computed from others, one number expanded. */
export function adaptConstantOfShape(b: Builder, call: Call): Call | readonly Value[] {
  const target = call.inputs[0];
  const value = call.attributes.value ?? tensor(call.float ?? "float32", [1], [0]);
  const isOne = typeof value === "object" && "dtype" in value && value.data.length === 1;
  if (!target || !isOne) throw new ModelError("ConstantOfShape needs a shape, and a value with one element.");
  const dims = dimsOf(target);
  if (target.constant !== null || dims === null || target.node?.op.type === "Shape") {
    return { ...call, attributes: { value } };
  }
  return [emit(b, "Expand", [b.constant(value), target])];
}

/** Tile along an axis of size 1 as often as a symbolic dimension says: an Expand. */
export function adaptTile(b: Builder, call: Call): Call | readonly Value[] {
  const [x, repeats] = call.inputs;
  const dims = x && repeats && dimsOf(repeats);
  if (!x || !repeats || repeats.constant !== null || !dims || dims.length !== x.shape.length) return call;
  if (dims.some((dim, axis) => typeof dim === "string" && x.shape[axis] !== 1)) return call;
  const known = b.ints(dims.map((dim) => (typeof dim === "string" ? 1 : dim)));
  const one = b.ints([1]);
  // the symbolic repeats themselves, and 1 where `known` has done the work
  const target = dims.map((dim, axis) =>
    typeof dim === "string"
      ? emit(b, "Slice", [repeats, b.ints([axis]), b.ints([axis + 1]), b.ints([0])])
      : one,
  );
  return [emit(b, "Expand", [emit(b, "Tile", [x, known]), emit(b, "Concat", target, { axis: 0 })])];
}
