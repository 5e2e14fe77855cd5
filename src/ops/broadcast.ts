import { emptyData, isBigInt, type Tensor, type TensorData, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Attributes,
  broadcastShapes,
  type Dim,
  normaliseAxis,
  type Op,
  type Shape,
  sameShape,
  staticShape,
  type Value,
} from "../graph/graph.js";
import { constantInts, required } from "./operand.js";
import { reshape, shapeOf } from "./reshape.js";

// Broadcasting and summation are each other's transpose, so they share a file.

/** Reads a tensor as if it were broadcast to a shape: the flat index in `t` of each flat index in `shape`. */
export function broadcastIndex(from: readonly number[], to: readonly number[]): Int32Array {
  const size = to.reduce((product, dim) => product * dim, 1);
  const index = new Int32Array(size);
  const offset = to.length - from.length;
  let inner = 1;
  let stride = 1;
  for (let axis = to.length - 1; axis >= 0; axis--) {
    const dim = to[axis]!;
    const own = axis < offset ? 1 : from[axis - offset]!;
    if (own !== 1) for (let i = 0; i < size; i++) index[i]! += (Math.floor(i / inner) % dim) * stride;
    inner *= dim;
    stride *= own;
  }
  return index;
}

/** Expand: repeats along axes of size 1, and adds leading axes. Its transpose is a sum. */
export const Expand: Op = {
  type: "Expand",
  infer(inputs) {
    const x = required("Expand", inputs, 0);
    const target = required("Expand", inputs, 1);
    return [{ dtype: x.dtype, shape: broadcastShapes("Expand", x.shape, targetShape(target)) }];
  },
  fold([x, shape]) {
    const to = broadcastShapes(
      "Expand",
      x!.shape,
      Array.from(shape!.data as BigInt64Array, Number),
    ) as number[];
    const index = broadcastIndex(x!.shape, to);
    const data = emptyData(x!.dtype, index.length) as TensorData;
    for (let i = 0; i < index.length; i++) data[i] = x!.data[index[i]!]!;
    return [{ dtype: x!.dtype, shape: to, data } as Tensor];
  },
  simplify(_, [x, shape]) {
    return sameShape(x!.shape, broadcastShapes("Expand", x!.shape, targetShape(shape!))) ? [x!] : null;
  },
  vjp: (b, { inputs: [x] }, [cotangent]) => [sumTo(b, cotangent!, x!), null],
};

/** The shape that an Expand or a Reshape is told: a constant, or the `Shape` of another value. */
function targetShape(value: Value): Shape {
  const source = value.node;
  if (source !== null && source.op.type === "Shape") return source.inputs[0]!.shape;
  return constantInts("Expand", "the shape", value)!;
}

export function expand(b: Builder, x: Value, shape: readonly number[]): Value {
  return b.apply(Expand, [x, b.ints(shape)]);
}

/** x broadcast to the shape of `like`. */
export function expandTo(b: Builder, x: Value, like: Value): Value {
  return sameShape(x.shape, like.shape) ? x : b.apply(Expand, [x, shapeOf(b, like)]);
}

/**
 * The transpose of broadcasting `like` to x: sums over the axes along which `like` was repeated.
 */
export function sumTo(b: Builder, x: Value, like: Value): Value {
  if (sameShape(x.shape, like.shape)) return x;
  const offset = x.shape.length - like.shape.length;
  const repeated = x.shape.flatMap((dim, axis) =>
    dim !== 1 && (axis < offset || like.shape[axis - offset] === 1) ? [axis] : [],
  );
  const summed = reduceSum(b, x, repeated, true);
  return offset === 0 ? summed : reshape(b, summed, like);
}

/** Axes of a reduction, from its second input; all of them if there is none. */
export function reductionAxes(
  op: string,
  inputs: readonly (Value | null)[],
  attributes: Attributes,
): number[] {
  const rank = required(op, inputs, 0).shape.length;
  const axes = constantInts(op, "axes", inputs[1]) ?? [];
  if (axes.length === 0)
    return attributes.noop_with_empty_axes === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
  return axes.map((axis) => normaliseAxis(axis, rank, op));
}

function reducedShape(shape: Shape, axes: readonly number[], keepdims: boolean): Dim[] {
  return shape.flatMap((dim, axis) => (axes.includes(axis) ? (keepdims ? [1] : []) : [dim]));
}

/** A reduction over axes: the record that ReduceSum, ReduceMean, ReduceMax … share. */
export function reduction(
  type: string,
  combine: ((values: readonly number[]) => number) | null,
  rules: Pick<Op, "vjp" | "decompose">,
): Op {
  return {
    type,
    attributes: { keepdims: "int", noop_with_empty_axes: "int" },
    infer(inputs, attributes) {
      const x = required(type, inputs, 0);
      const axes = reductionAxes(type, inputs, attributes);
      return [{ dtype: x.dtype, shape: reducedShape(x.shape, axes, attributes.keepdims !== 0) }];
    },
    ...(combine === null
      ? {}
      : {
          fold([x, axes]: readonly (Tensor | null)[], attributes: Attributes) {
            const rank = x!.shape.length;
            const given =
              axes === null || axes === undefined ? [] : Array.from(axes.data as BigInt64Array, Number);
            const over =
              given.length > 0
                ? given.map((axis) => normaliseAxis(axis, rank, type))
                : attributes.noop_with_empty_axes === 1
                  ? []
                  : x!.shape.map((_, axis) => axis);
            const kept = reducedShape(x!.shape, over, true) as number[];
            const index = broadcastIndex(kept, x!.shape);
            const groups: number[][] = Array.from({ length: kept.reduce((p, d) => p * d, 1) }, () => []);
            for (let i = 0; i < index.length; i++) groups[index[i]!]!.push(Number(x!.data[i]!));
            const values = groups.map(combine).map((value) => (isBigInt(x!.dtype) ? BigInt(value) : value));
            const shape = reducedShape(x!.shape, over, attributes.keepdims !== 0) as number[];
            return [tensor(x!.dtype, shape, values)];
          },
        }),
    simplify: (_, inputs, attributes) =>
      reductionAxes(type, inputs, attributes).length === 0 && type !== "ReduceSumSquare"
        ? [inputs[0]!]
        : null,
    ...rules,
  };
}

/** The cotangent of a reduction with its reduced axes put back as axes of size 1. */
export function restoreAxes(b: Builder, cotangent: Value, x: Value, axes: readonly number[]): Value {
  const kept = reducedShape(x.shape, axes, true);
  if (sameShape(kept, cotangent.shape)) return cotangent;
  return reshape(
    b,
    cotangent,
    kept.map((dim) => (typeof dim === "string" ? -1 : dim)),
  );
}

/** ReduceSum. Its transpose is Expand. */
export const ReduceSum: Op = reduction(
  "ReduceSum",
  (values) => values.reduce((sum, value) => sum + value, 0),
  {
    vjp(b, { inputs, attributes }, [cotangent]) {
      const x = inputs[0]!;
      const axes = reductionAxes("ReduceSum", inputs, attributes);
      return [expandTo(b, restoreAxes(b, cotangent!, x, axes), x), null];
    },
  },
);

/** Sum over axes (all of them unless given). */
export function reduceSum(
  b: Builder,
  x: Value,
  axes: readonly number[] | null = null,
  keepdims = false,
): Value {
  if (axes !== null && axes.length === 0) return x;
  return b.apply(ReduceSum, axes === null ? [x] : [x, b.ints(axes)], { keepdims: keepdims ? 1 : 0 });
}

/** Number of elements over the given axes, for means. */
export function countOver(x: Value, axes: readonly number[]): number {
  return axes.reduce((count, axis) => count * (staticShape(x, "A mean")[axis] as number), 1);
}
