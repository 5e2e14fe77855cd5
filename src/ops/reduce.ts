import { integerRange, isFloat, sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { normaliseAxis, type Op, type Value } from "../graph/graph.js";
import { type ElementTypes, flag, floats, int, numeric, takes } from "../graph/signature.js";
import { add, div, mul, sub } from "./arithmetic.js";
import { expandTo, reducedShape, reduceSum, reduction, same } from "./broadcast.js";
import { abs, exp, log, sign, sqrt } from "./elementwise.js";
import { larger, smaller } from "./extrema.js";
import { broadcastIndex } from "./folding.js";
import { and, equal, less, where } from "./logic.js";
import { intOf, required } from "./operand.js";
import { cast, ShapeOp, squeeze } from "./reshape.js";

// Reductions over axes. In the rules ȳ (g) and y keep the reduced axes with size 1, so that they broadcast to x.

/** What has a largest element; bools have one since opset 20. */
const ordered: ElementTypes = {
  of: ["float32", "float64", "int8", "int32", "int64", "uint8", "uint32", "uint64", "bool"],
  words: "of floats, bools, or integers of 8, 32 or 64 bits",
};

/** The sum over n; of integers, cut off: ȳ / n each */
export const ReduceMean: Op = reduction("ReduceMean", {
  formula: (b, x, axes, keepdims) => overCount(b, reduceSum(b, x, axes, keepdims), x, axes),
  ofOne: same,
  vjp: (b, g, x, _y, axes) => expandTo(b, overCount(b, g, x, axes), x),
});

/** g divided by the number of elements of x over axes, which may be known only when the graph runs. */
function overCount(b: Builder, g: Value, x: Value, axes: readonly number[]): Value {
  const dims = axes.map((axis) => x.shape[axis]!);
  const count = sizeOf(dims.filter((dim) => typeof dim === "number"));
  // the reciprocal of a power of two is exact, and to multiply by it is faster
  const isExact = isFloat(g.dtype) && Number.isInteger(Math.log2(count));
  const known = isExact ? mul(b, g, 1 / count) : div(b, g, count);
  const symbolic = axes.find((axis) => typeof x.shape[axis] === "string");
  if (symbolic === undefined) return known;
  const dim = b.apply(ShapeOp, [x], { start: symbolic, end: symbolic + 1 });
  return div(b, known, cast(b, squeeze(b, dim, [0]), g.dtype));
}

/** The elements that attain the extremum share ȳ evenly, as PyTorch's amax and amin do. */
function share(b: Builder, g: Value, x: Value, y: Value, axes: readonly number[]): Value {
  const attains = cast(b, equal(b, x, y), x.dtype);
  return mul(b, attains, div(b, g, reduceSum(b, attains, axes, true)));
}

/** The largest. ONNX Runtime's kernel may overlook a NaN that is not the first element: ask IsNaN, or a sum. */
export const ReduceMax: Op = reduction("ReduceMax", {
  types: ordered,
  combine: (values) => values.reduce((x, y) => Math.max(x, y), -Infinity),
  exact: (values, dtype) => values.reduce(larger, integerRange(dtype)[0]),
  ofOne: same,
  vjp: share,
});

/** The smallest, with the same caveat. */
export const ReduceMin: Op = reduction("ReduceMin", {
  types: ordered,
  combine: (values) => values.reduce((x, y) => Math.min(x, y), Infinity),
  exact: (values, dtype) => values.reduce(smaller, integerRange(dtype)[1]),
  ofOne: same,
  vjp: share,
});

/**
 * ȳ times the product of the other elements: y / x, or where x is the only zero of its group, the product of the rest.
 * (A second derivative is exact where no element is zero.)
 */
export const ReduceProd: Op = reduction("ReduceProd", {
  combine: (values) => values.reduce((product, value) => product * value, 1),
  exact: (values) => values.reduce((product, value) => product * value, 1n),
  ofOne: same,
  vjp(b, g, x, _y, axes) {
    const isZero = equal(b, x, 0);
    const filled = where(b, isZero, 1, x);
    const product = b.apply(ReduceProd, [filled, b.ints(axes)], { keepdims: 1 });
    const zeros = reduceSum(b, cast(b, isZero, x.dtype), axes, true);
    const isOnly = and(b, isZero, equal(b, zeros, 1));
    const others = where(b, isOnly, product, where(b, equal(b, zeros, 0), div(b, product, filled), 0));
    return mul(b, g, others);
  },
});

/** Σ |x|: ȳ sign(x) */
export const ReduceL1: Op = reduction("ReduceL1", {
  formula: (b, x, axes, keepdims) => reduceSum(b, abs(b, x), axes, keepdims),
  ofOne: abs,
  vjp: (b, g, x) => mul(b, g, sign(b, x)),
});

/** √Σ x²: ȳ x / y; 0 where all elements are 0 */
export const ReduceL2: Op = reduction("ReduceL2", {
  types: floats,
  formula: (b, x, axes, keepdims) => sqrt(b, reduceSum(b, mul(b, x, x), axes, keepdims)),
  ofOne: abs,
  vjp: (b, g, x, y) => mul(b, x, div(b, g, where(b, equal(b, y, 0), 1, y))),
});

/** Σ x²: 2 ȳ x */
export const ReduceSumSquare: Op = reduction("ReduceSumSquare", {
  formula: (b, x, axes, keepdims) => reduceSum(b, mul(b, x, x), axes, keepdims),
  ofOne: (b, x) => mul(b, x, x),
  vjp: (b, g, x) => mul(b, mul(b, g, 2), x),
});

/** y = log Σ x:  ȳ / Σ x */
export const ReduceLogSum: Op = reduction("ReduceLogSum", {
  types: floats,
  formula: (b, x, axes, keepdims) => log(b, reduceSum(b, x, axes, keepdims)),
  ofOne: log,
  vjp: (b, g, x, _y, axes) => expandTo(b, div(b, g, reduceSum(b, x, axes, true)), x),
});

/** y = log Σ eˣ, shifted by the largest:  ȳ exp(x − y) */
export const ReduceLogSumExp: Op = reduction("ReduceLogSumExp", {
  types: floats,
  formula(b, x, axes, keepdims) {
    const largest = reduceMax(b, x, axes, true);
    // ∞ − ∞ would be NaN, where the result is ∞ or −∞
    const shift = where(b, less(b, abs(b, largest), Infinity), largest, 0);
    const y = add(b, log(b, reduceSum(b, exp(b, sub(b, x, shift)), axes, true)), shift);
    return keepdims ? y : squeeze(b, y, axes);
  },
  ofOne: same,
  vjp: (b, g, x, y) => mul(b, g, exp(b, sub(b, x, y))),
});

/** The index of an extremum along an axis, as int64: the first one, or with `select_last_index` the last. */
function argument(type: string, isBetter: (x: number | bigint, y: number | bigint) => boolean): Op {
  return {
    type,
    inputs: [takes("data", numeric)],
    attributes: { axis: int(0), keepdims: flag(1), select_last_index: flag(0, { since: 12 }) },
    infer(inputs, attributes) {
      const { shape } = required(type, inputs, 0);
      const axis = normaliseAxis(intOf(attributes, "axis", 0), shape.length, type);
      return [{ dtype: "int64", shape: reducedShape(shape, [axis], attributes.keepdims !== 0) }];
    },
    fold([x], attributes) {
      const axis = normaliseAxis(intOf(attributes, "axis", 0), x!.shape.length, type);
      const last = intOf(attributes, "select_last_index", 0) === 1;
      const kept = reducedShape(x!.shape, [axis], true) as number[];
      const group = broadcastIndex(kept, x!.shape);
      const best: { value: number | bigint; at: number; seen: number }[] = [];
      group.forEach((to, i) => {
        const value = x!.data[i]!;
        const known = best[to];
        if (known === undefined) best[to] = { value, at: 0, seen: 1 };
        else {
          if (isBetter(value, known.value) || (last && value === known.value)) {
            known.value = value;
            known.at = known.seen;
          }
          known.seen++;
        }
      });
      const shape = reducedShape(x!.shape, [axis], attributes.keepdims !== 0) as number[];
      return [{ dtype: "int64", shape, data: BigInt64Array.from(best, ({ at }) => BigInt(at)) }];
    },
  };
}

export const ArgMax: Op = argument("ArgMax", (x, y) => x > y);
export const ArgMin: Op = argument("ArgMin", (x, y) => x < y);

function reduce(op: Op) {
  return (b: Builder, x: Value, axes: readonly number[] | null = null, keepdims = false): Value =>
    b.apply(op, axes === null ? [x] : [x, b.ints(axes)], {
      keepdims: keepdims ? 1 : 0,
      ...(axes !== null && axes.length === 0 ? { noop_with_empty_axes: 1 } : {}),
    });
}

export const reduceMean = reduce(ReduceMean);
export const reduceMax = reduce(ReduceMax);
export const reduceMin = reduce(ReduceMin);
export const reduceProd = reduce(ReduceProd);
export const reduceL1 = reduce(ReduceL1);
export const reduceL2 = reduce(ReduceL2);
export const reduceSumSquare = reduce(ReduceSumSquare);
export const reduceLogSumExp = reduce(ReduceLogSumExp);

export function argMax(b: Builder, x: Value, axis = -1): Value {
  return b.apply(ArgMax, [x], { axis, keepdims: 0 });
}

export function argMin(b: Builder, x: Value, axis = -1): Value {
  return b.apply(ArgMin, [x], { axis, keepdims: 0 });
}
