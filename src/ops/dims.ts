import type { Dim, Value } from "../graph/graph.js";

/**
 * The elements of an integer value of rank 0 or 1, as far as they follow from shapes: numbers, and names of symbolic
 * dimensions. Exporters compute target shapes from `Shape`, element by element; this reads what they computed.
 *
 * `null` for anything that is not a rearrangement of dimensions and constants.
 */
export function dimsOf(value: Value): readonly Dim[] | null {
  if (value.shape.length > 1 || (value.dtype !== "int64" && value.dtype !== "int32")) return null;
  if (value.constant !== null) return Array.from(value.constant.data as ArrayLike<number | bigint>, Number);
  const { node } = value;
  if (node === null) return null;
  const { attributes } = node;
  const inputs = node.inputs as readonly Value[];
  switch (node.op.type) {
    case "Shape": {
      const clamp = (axis: number) => (axis < 0 ? Math.max(0, axis + inputs[0]!.shape.length) : axis);
      const { start = 0, end } = attributes as { start?: number; end?: number };
      return inputs[0]!.shape.slice(clamp(start), end === undefined ? undefined : clamp(end));
    }
    case "Concat": {
      const parts = inputs.map(dimsOf);
      return parts.some((part) => part === null) ? null : parts.flatMap((part) => part!);
    }
    case "Gather": {
      const dims = dimsOf(inputs[0]!);
      const index = inputs[1]!.constant;
      if (dims === null || index === null) return null;
      return Array.from(index.data as ArrayLike<number | bigint>, (i) => dims.at(Number(i))!);
    }
    case "Slice":
      return slicedDims(inputs);
    case "Where": {
      const [x, y] = [dimsOf(inputs[1]!), dimsOf(inputs[2]!)];
      const condition = inputs[0]!.constant;
      if (x === null || y === null || condition === null) return null;
      const length = Math.max(condition.data.length, x.length, y.length);
      const at = <T>(list: ArrayLike<T>, i: number): T => list[list.length === 1 ? 0 : i]!;
      return Array.from({ length }, (_, i) => at(at(condition.data as Uint8Array, i) === 0 ? y : x, i));
    }
    case "Cast":
    case "Identity":
    case "Reshape":
    case "Squeeze":
    case "Unsqueeze":
      return dimsOf(inputs[0]!);
    default:
      return null;
  }
}

function slicedDims(inputs: readonly (Value | null)[]): readonly Dim[] | null {
  const dims = dimsOf(inputs[0]!);
  const bound = (index: number, otherwise: number) => {
    const value = inputs[index];
    if (value === null || value === undefined) return otherwise;
    return value.constant === null ? null : Number(value.constant.data[0]!);
  };
  const [start, end, step] = [bound(1, 0), bound(2, 0), bound(4, 1)];
  if (dims === null || start === null || end === null || step !== 1) return null;
  return dims.slice(start, end);
}

/** Whether no dimension is symbolic. */
export function isStatic(dims: readonly Dim[]): dims is readonly number[] {
  return dims.every((dim) => typeof dim === "number");
}
