import {
  emptyData,
  numbers,
  ShapeError,
  sizeOf,
  stridesOf,
  type Tensor,
  type TensorData,
  tensor,
} from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Attributes,
  type Dim,
  normaliseAxis,
  type Op,
  showType,
  staticShape,
  type Value,
} from "../graph/graph.js";
import { anything, flag, indices, int64, mayTake, takes, wide } from "../graph/signature.js";
import { reduceSum } from "./broadcast.js";
import { composedOf } from "./folding.js";
import { greaterOrEqual, lessOrEqual, where } from "./logic.js";
import { checkSingle, constantInts, intOf, required } from "./operand.js";
import { reshape } from "./reshape.js";

// Linear operators of a fixed pattern: tiling, triangles, running sums.

/** Tile: the whole tensor repeated along each axis. Its transpose sums over the copies. */
export const Tile: Op = {
  type: "Tile",
  inputs: [takes("input", anything), takes("repeats", int64, { list: true })],
  infer(inputs) {
    const x = required("Tile", inputs, 0);
    const repeats = repeatsOf(inputs);
    return [{ dtype: x.dtype, shape: x.shape.map((dim, axis) => tiled(x, dim, repeats[axis]!)) }];
  },
  fold([x, repeats]) {
    const counts = numbers(repeats!);
    const shape = x!.shape.map((dim, axis) => dim * counts[axis]!);
    const [strides, own] = [stridesOf(shape), stridesOf(x!.shape)];
    const data = emptyData(x!.dtype, sizeOf(shape)) as TensorData;
    for (let i = 0; i < data.length; i++) {
      const from = own.reduce(
        (sum, s, axis) => sum + (Math.floor(i / strides[axis]!) % x!.shape[axis]!) * s,
        0,
      );
      data[i] = x!.data[from]!;
    }
    return [{ dtype: x!.dtype, shape, data } as Tensor];
  },
  simplify: (_, inputs) => (repeatsOf(inputs).every((count) => count === 1) ? [inputs[0]!] : null),
  vjp(b, { inputs }, [g]) {
    const x = inputs[0]!;
    const counts = repeatsOf(inputs);
    const pairs = x.shape.flatMap((dim, axis) => [counts[axis]!, typeof dim === "string" ? -1 : dim]);
    const copies = counts.flatMap((count, axis) => (count === 1 ? [] : [2 * axis]));
    return [reshape(b, reduceSum(b, reshape(b, g!, pairs), copies, true), x), null];
  },
};

function repeatsOf(inputs: readonly (Value | null)[]): readonly number[] {
  const x = required("Tile", inputs, 0);
  const repeats = constantInts("Tile", "the repeats", required("Tile", inputs, 1))!;
  const negative = repeats.find((count) => count < 0);
  if (negative !== undefined) {
    throw new ShapeError(`Tile: ${showType(x)} cannot be repeated ${negative} times; repeats are 0 or more.`);
  }
  if (repeats.length === x.shape.length) return repeats;
  throw new ShapeError(`Tile: ${showType(x)} needs ${x.shape.length} repeats, but got ${repeats.length}.`);
}

function tiled(x: Value, dim: Dim, count: number): Dim {
  if (count === 1) return dim;
  if (typeof dim === "number") return dim * count;
  throw new ShapeError(`Tile: the symbolic dimension "${dim}" of ${showType(x)} cannot be repeated.`);
}

export function tile(b: Builder, x: Value, repeats: readonly number[]): Value {
  return b.apply(Tile, [x, b.ints(repeats)]);
}

/** Trilu: the upper or lower triangle of the last two axes, from the k-th diagonal; it is its own transpose. */
export const Trilu: Op = {
  type: "Trilu",
  since: 14,
  inputs: [takes("input", anything), mayTake("k", int64)],
  attributes: { upper: flag(1) },
  infer(inputs) {
    const x = required("Trilu", inputs, 0);
    checkSingle("Trilu", "the diagonal k", inputs[1]);
    if (x.shape.length >= 2) return [x];
    throw new ShapeError(`Trilu needs a matrix, but got ${showType(x)}.`);
  },
  /** where the distance from the main diagonal is at least, or at most, k */
  ...composedOf((b, [x, k], attributes) => {
    const [rows, columns] = staticShape(x!, "Trilu").slice(-2) as [number, number];
    const distances = Array.from(
      { length: rows * columns },
      (_, i) => (i % columns) - Math.floor(i / columns),
    );
    const distance = b.constant(tensor("int64", [rows, columns], distances));
    const from = k ?? b.scalar("int64", 0);
    const isUpper = intOf(attributes, "upper", 1) !== 0;
    const mask = isUpper ? greaterOrEqual(b, distance, from) : lessOrEqual(b, distance, from);
    return [where(b, mask, x!, b.scalar(x!.dtype, 0))];
  }),
  vjp: (b, { inputs: [, k], attributes }, [g]) => [b.apply(Trilu, [g!, k ?? null], attributes), null],
};

/** The triangle of the last two axes on and above (`upper`) or on and below the k-th diagonal. */
export function trilu(b: Builder, x: Value, upper: boolean, k = 0): Value {
  return b.apply(Trilu, [x, k === 0 ? null : b.scalar("int64", k)], { upper: upper ? 1 : 0 });
}

/** CumSum along an axis. Its transpose runs the other way. */
export const CumSum: Op = {
  type: "CumSum",
  since: 11,
  inputs: [takes("x", wide), takes("axis", indices)],
  attributes: { exclusive: flag(0), reverse: flag(0) },
  infer(inputs) {
    const x = required("CumSum", inputs, 0);
    checkSingle("CumSum", "the axis", inputs[1]);
    const [axis] = constantInts("CumSum", "the axis", required("CumSum", inputs, 1))!;
    normaliseAxis(axis!, x.shape.length, "CumSum");
    return [x];
  },
  fold([x, along], attributes) {
    const axis = normaliseAxis(numbers(along!)[0]!, x!.shape.length, "CumSum");
    return [runningSum(x!, axis, attributes)];
  },
  vjp: (b, { inputs: [, axis], attributes }, [g]) => [
    b.apply(CumSum, [g!, axis!], { ...attributes, reverse: 1 - intOf(attributes, "reverse", 0) }),
    null,
  ],
};

function runningSum(x: Tensor, axis: number, attributes: Attributes): Tensor {
  const dim = x.shape[axis]!;
  const inner = stridesOf(x.shape)[axis]!;
  const isReverse = intOf(attributes, "reverse", 0) !== 0;
  const isExclusive = intOf(attributes, "exclusive", 0) !== 0;
  const data = x.data.slice() as TensorData;
  for (let first = 0; first < data.length; first++) {
    if (Math.floor(first / inner) % dim !== 0) continue;
    let sum = emptyData(x.dtype, 1)[0]!;
    for (let k = 0; k < dim; k++) {
      const at = first + (isReverse ? dim - 1 - k : k) * inner;
      const next = ((sum as number) + (x.data[at] as number)) as typeof sum;
      data[at] = isExclusive ? sum : next;
      sum = next;
    }
  }
  return { ...x, data } as Tensor;
}

export function cumSum(b: Builder, x: Value, axis: number): Value {
  return b.apply(CumSum, [x, b.scalar("int64", normaliseAxis(axis, x.shape.length, "CumSum"))]);
}
