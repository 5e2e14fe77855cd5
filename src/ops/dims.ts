import { numbers } from "../core/tensor.js";
import { type Dim, productOf, quotientOf, sumOf } from "../graph/dimension.js";
import type { Node, Value } from "../graph/graph.js";

/** Elements of the largest value that is read so: shapes have one for each axis. */
const mostElements = 1024;
/** Nodes that are followed at once; what they computed is remembered, so that this is enough for any length. */
const mostSteps = 256;

/**
 * The elements of an integer value of rank 0 or 1, as far as they follow from shapes: numbers, and dimensions that depend
 * on the batch. Exporters compute target shapes from `Shape`, element by element; this reads what they computed.
 *
 * `null` for anything that is not arithmetic of dimensions and constants.
 */
export function dimsOf(value: Value, steps = mostSteps): readonly Dim[] | null {
  if (value.shape.length > 1 || (value.dtype !== "int64" && value.dtype !== "int32")) return null;
  const [length = 1] = value.shape;
  if (typeof length === "string" || length > mostElements || steps === 0) return null;
  if (value.constant !== null) return numbers(value.constant);
  const { node } = value;
  if (node === null) return null;
  const { dims } = value.scope.root;
  const known = dims.get(value);
  if (known !== undefined) return known;
  const found = computed(node, (operand) => (operand ? dimsOf(operand, steps - 1) : null));
  dims.set(value, found);
  return found;
}

function computed(
  { op, inputs, outputs, attributes }: Node,
  of: (value: Value | null | undefined) => readonly Dim[] | null,
): readonly Dim[] | null {
  const [first, second] = inputs;
  const paired = (
    x: readonly Dim[] | null,
    y: readonly Dim[] | null,
    apply: (a: Dim, b: Dim, i: number) => Dim | null,
  ) => (x === null || y === null ? null : elementwise((outputs[0]!.shape[0] ?? 1) as number, x, y, apply));
  switch (op.type) {
    case "Shape": {
      const { shape } = first!;
      const clamp = (axis: number) => (axis < 0 ? Math.max(0, axis + shape.length) : axis);
      const { start = 0, end } = attributes as { start?: number; end?: number };
      return shape.slice(clamp(start), end === undefined ? undefined : clamp(end));
    }
    case "Size":
      return [productOf(first!.shape)];
    case "Concat": {
      const parts = inputs.map(of);
      return parts.some((part) => part === null) ? null : parts.flatMap((part) => part!);
    }
    case "Gather": {
      const [dims, index] = [of(first), second!.constant];
      if (dims === null || index === null) return null;
      const picked = numbers(index).map((i) => dims.at(i));
      return picked.some((dim) => dim === undefined) ? null : (picked as Dim[]);
    }
    case "Slice":
      return slicedDims(of(first), inputs);
    case "Where": {
      const condition = first!.constant;
      const [x, y] = [of(second), of(inputs[2])];
      return condition === null ? null : paired(x, y, (a, b, i) => (chosen(condition.data, i) ? a : b));
    }
    case "Add":
      return paired(of(first), of(second), (a, b) => sumOf([a, b]));
    case "Sub":
      return paired(of(first), of(second), (a, b) => sumOf([a, productOf([b, -1])]));
    case "Mul":
      return paired(of(first), of(second), (a, b) => productOf([a, b]));
    case "Div":
      return paired(of(first), of(second), (a, b) => quotientOf([a], [b]));
    case "Max":
    case "Min":
      // of a batch and a number nobody knows which is larger
      return inputs.map(of).reduce((x, y) => paired(x, y, (a, b) => (a === b ? a : null)));
    case "ReduceProd": {
      const dims = of(first);
      return dims === null || first!.shape.length === 0 ? dims : [productOf(dims)];
    }
    case "ReduceSum": {
      const dims = of(first);
      return dims === null || first!.shape.length === 0 ? dims : [sumOf(dims)];
    }
    case "Cast":
    case "Identity":
    case "Reshape":
    case "Squeeze":
    case "Unsqueeze":
      return of(first);
    default:
      return null;
  }
}

function chosen(condition: ArrayLike<number | bigint>, i: number): boolean {
  return Number(condition[condition.length === 1 ? 0 : i]) !== 0;
}

/** An operator applied element by element, a single one standing for all. */
function elementwise(
  length: number,
  x: readonly Dim[],
  y: readonly Dim[],
  apply: (a: Dim, b: Dim, i: number) => Dim | null,
): readonly Dim[] | null {
  const at = (dims: readonly Dim[], i: number) => dims[dims.length === 1 ? 0 : i]!;
  const results = Array.from({ length }, (_, i) => apply(at(x, i), at(y, i), i));
  return results.includes(null) ? null : (results as Dim[]);
}

function slicedDims(dims: readonly Dim[] | null, inputs: readonly (Value | null)[]): readonly Dim[] | null {
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
