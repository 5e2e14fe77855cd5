import {
  type DType,
  emptyData,
  isFloat,
  numbers,
  sizeOf,
  type Tensor,
  type TensorData,
  tensor,
} from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Attributes,
  broadcastShapes,
  type Dim,
  normaliseAxes,
  type Op,
  type Shape,
  sameShape,
  type Value,
} from "../graph/graph.js";
import {
  anything,
  attributeOf,
  type ElementTypes,
  flag,
  int64,
  mayTake,
  takes,
  wide,
} from "../graph/signature.js";
import { dimsOf } from "./dims.js";
import { broadcastIndex, composedOf, pairwiseSum, wrapped } from "./folding.js";
import { constantInts, required } from "./operand.js";
import { cast, reshape, shapeOf } from "./reshape.js";

// Broadcasting and summation are each other's transpose, so they share a file.

/** Expand: repeats along axes of size 1, and adds leading axes. Its transpose is a sum. */
export const Expand: Op = {
  type: "Expand",
  since: 8,
  inputs: [takes("input", anything), takes("shape", int64, { list: true })],
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

/** The shape that an Expand is told: a constant, or computed from shapes. */
function targetShape(value: Value): Shape {
  return dimsOf(value) ?? constantInts("Expand", "the shape", value)!;
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
  return resolveAxes(op, rank, constantInts(op, "axes", inputs[1]) ?? [], attributes);
}

function resolveAxes(op: string, rank: number, given: readonly number[], attributes: Attributes): number[] {
  if (given.length > 0) return normaliseAxes(given, rank, op);
  return attributes.noop_with_empty_axes === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

export function reducedShape(shape: Shape, axes: readonly number[], keepdims: boolean): Dim[] {
  return shape.flatMap((dim, axis) => (axes.includes(axis) ? (keepdims ? [1] : []) : [dim]));
}

/** The sum, mean, product or extremum of one value. */
export const same = (_: Builder, x: Value): Value => x;

/**
 * What there is to say about a reduction over axes: how it combines values, or which simpler reductions it is made of.
 */
export type Reduction = (CombiningReduction | ComposedReduction) & {
  /** what it takes; what sums are defined for unless given */
  readonly types?: ElementTypes;
  /** the opset that made the axes an operand */
  readonly axesSince?: number;
  /** the reduction of single values, elementwise: what there is over no axes */
  readonly ofOne: (b: Builder, x: Value) => Value;
  /** x̄ from ȳ (g) and y, both with reduced axes kept as axes of size 1 */
  readonly vjp: (b: Builder, g: Value, x: Value, y: Value, axes: readonly number[]) => Value;
};

interface CombiningReduction {
  /** the values of one group, in order, to one */
  readonly combine: (values: readonly number[]) => number;
  /** the same of integers, before they wrap around */
  readonly exact: (values: readonly bigint[], dtype: DType) => bigint;
}

interface ComposedReduction {
  readonly formula: (b: Builder, x: Value, axes: readonly number[], keepdims: boolean) => Value;
}

/** The record that ReduceSum, ReduceMean, ReduceMax … share. */
export function reduction(type: string, reduction: Reduction): Op {
  const { types = wide, axesSince = 18, ofOne, vjp } = reduction;
  return {
    type,
    inputs: [takes("data", types), mayTake("axes", int64, { since: axesSince, list: true })],
    attributes: {
      keepdims: flag(1),
      noop_with_empty_axes: flag(0, { since: axesSince }),
      axes: attributeOf("ints", { until: axesSince }),
    },
    infer(inputs, attributes) {
      const x = required(type, inputs, 0);
      const axes = reductionAxes(type, inputs, attributes);
      return [{ dtype: x.dtype, shape: reducedShape(x.shape, axes, attributes.keepdims !== 0) }];
    },
    ...("combine" in reduction ? { fold: foldGroups(type, reduction) } : composed(type, reduction)),
    simplify: (b, inputs, attributes) =>
      reductionAxes(type, inputs, attributes).length === 0 ? [ofOne(b, inputs[0]!)] : null,
    vjp(b, { inputs, outputs: [y], attributes }, [g]) {
      const x = inputs[0]!;
      const axes = reductionAxes(type, inputs, attributes);
      return [vjp(b, restoreAxes(b, g!, x, axes), x, restoreAxes(b, y!, x, axes), axes), null];
    },
  };
}

function foldGroups(type: string, { combine, exact }: CombiningReduction): NonNullable<Op["fold"]> {
  return ([x, given], attributes) => {
    const { dtype } = x!;
    const axes = resolveAxes(type, x!.shape.length, given ? numbers(given) : [], attributes);
    const kept = reducedShape(x!.shape, axes, true) as number[];
    const group = broadcastIndex(kept, x!.shape);
    const groups: (number | bigint)[][] = Array.from({ length: sizeOf(kept) }, () => []);
    for (let i = 0; i < group.length; i++) groups[group[i]!]!.push(x!.data[i]!);
    const results = groups.map((values) =>
      isFloat(dtype) ? combine(values as number[]) : wrapped(exact(values.map(BigInt), dtype), dtype),
    );
    const shape = reducedShape(x!.shape, axes, attributes.keepdims !== 0) as number[];
    return [tensor(dtype, shape, results)];
  };
}

function composed(type: string, { formula }: ComposedReduction): Pick<Op, "fold" | "decompose"> {
  return composedOf((b, inputs, attributes) => {
    const axes = reductionAxes(type, inputs, attributes);
    return [formula(b, inputs[0]!, axes, attributes.keepdims !== 0)];
  });
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
export const ReduceSum: Op = {
  ...reduction("ReduceSum", {
    axesSince: 13,
    combine: pairwiseSum,
    exact: (values) => values.reduce((sum, value) => sum + value, 0n),
    ofOne: same,
    vjp: (b, g, x) => expandTo(b, g, x),
  }),
  /** where float32 loses digits: sums of sums that are not long, or in float64 */
  decompose(b, inputs, attributes) {
    const [x, given] = inputs as readonly [Value, Value?];
    const axes = reductionAxes("ReduceSum", inputs, attributes).sort((i, j) => i - j);
    const keepdims = attributes.keepdims !== 0;
    const inner = innermost(x.shape, axes);
    if (inner.length > 0 && inner.length < axes.length) {
      const outer = axes.slice(0, -inner.length);
      return [reduceSum(b, reduceSum(b, x, inner, keepdims), outer, keepdims)];
    }
    const sum = b.apply(ReduceSum, [cast(b, x, "float64"), given ?? null], attributes);
    return [cast(b, sum, x.dtype)];
  },
};

/** So many terms one after the other lose few digits. */
const shortSum = 1 << 10;

/** The last of some axes, over which there are few terms. */
function innermost(shape: Shape, axes: readonly number[]): number[] {
  let terms = 1;
  const first = axes.findLastIndex((axis) => {
    const dim = shape[axis]!;
    terms *= typeof dim === "number" ? dim : Number.POSITIVE_INFINITY;
    return terms > shortSum;
  });
  return axes.slice(first + 1);
}

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
