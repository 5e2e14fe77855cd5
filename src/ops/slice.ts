import {
  emptyData,
  numbers,
  ShapeError,
  stridesOf,
  type Tensor,
  type TensorData,
  tensor,
} from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Dim,
  GraphError,
  normaliseAxes,
  normaliseAxis,
  type Op,
  showType,
  type Value,
  type ValueType,
} from "../graph/graph.js";
import { anything, attributeOf, choice, float, indices, int64, mayTake, takes } from "../graph/signature.js";
import { add, sub } from "./arithmetic.js";
import { reduceSum } from "./broadcast.js";
import { dimsOf, isStatic } from "./dims.js";
import { checkSingle, constantInts, operand, required } from "./operand.js";
import { reshape, unsqueeze } from "./reshape.js";

// Slice cuts along axes and Pad adds to them; each is the other's transpose.

/** What a slice keeps of one axis: `count` elements from `first` on, each `step` further. */
export interface Range {
  readonly axis: number;
  readonly first: number;
  readonly step: number;
  readonly count: Dim;
}

/** Bounds at or beyond this mean "to the end". */
const huge = 2 ** 31 - 1;

/** The ranges of a Slice by NumPy's rules: negative bounds count from the end, and all are clamped. */
export function rangesOf(inputs: readonly (Value | null)[]): Range[] {
  return rangesBetween(
    required("Slice", inputs, 0),
    boundsOf("starts", required("Slice", inputs, 1)),
    boundsOf("ends", required("Slice", inputs, 2)),
    constantInts("Slice", "axes", inputs[3]),
    constantInts("Slice", "steps", inputs[4]),
  );
}

function rangesBetween(
  x: ValueType,
  starts: readonly Dim[],
  ends: readonly Dim[],
  axes: readonly number[] | null,
  steps: readonly number[] | null,
): Range[] {
  if ([ends, axes ?? ends, steps ?? ends].some((list) => list.length !== starts.length)) {
    throw new ShapeError("Slice: starts, ends, axes and steps differ in length.");
  }
  const along = normaliseAxes(axes ?? starts.map((_, i) => i), x.shape.length, "Slice");
  return starts.map((start, i) => {
    const axis = along[i]!;
    return rangeOf(x, axis, start, ends[i]!, steps?.[i] ?? 1);
  });
}

function boundsOf(what: string, value: Value): readonly Dim[] {
  return dimsOf(value) ?? constantInts("Slice", `the ${what}`, value)!;
}

function rangeOf(x: ValueType, axis: number, start: Dim, end: Dim, step: number): Range {
  const dim = x.shape[axis]!;
  if (step === 0) throw new ShapeError("Slice: a step is 0.");
  if (typeof dim === "number" && typeof start === "number" && typeof end === "number") {
    const clamp = (bound: number, low: number, high: number) =>
      Math.min(high, Math.max(low, bound < 0 ? bound + dim : bound));
    const [low, high] = step > 0 ? [0, dim] : [-1, dim - 1];
    const first = clamp(start, Math.max(low, 0), high);
    const last = clamp(end, low, high);
    return { axis, first, step, count: Math.max(0, Math.ceil((last - first) / step)) };
  }
  const isAll = step === 1 && start === 0 && (end === dim || (typeof end === "number" && end >= huge));
  if (isAll) return { axis, first: 0, step, count: dim };
  throw new ShapeError(
    `Slice: axis ${axis} of ${showType(x)} is cut at ${start} … ${end}, which needs a static dimension. ` +
      "Give the graph concrete input shapes.",
  );
}

/**
 * Slice with constant bounds. Its transpose spreads the cotangent by the steps and pads it with zeros.
 */
export const Slice: Op = {
  type: "Slice",
  inputs: [
    takes("data", anything),
    takes("starts", indices, { since: 10, list: true }),
    takes("ends", indices, { since: 10, list: true }),
    mayTake("axes", indices, { since: 10, list: true }),
    mayTake("steps", indices, { since: 10, list: true }),
  ],
  attributes: {
    starts: attributeOf("ints", { until: 10, required: true }),
    ends: attributeOf("ints", { until: 10, required: true }),
    axes: attributeOf("ints", { until: 10 }),
  },
  infer(inputs) {
    const x = required("Slice", inputs, 0);
    const shape = [...x.shape];
    for (const { axis, count } of rangesOf(inputs)) shape[axis] = count;
    return [{ dtype: x.dtype, shape }];
  },
  fold([x, starts, ends, axes, steps]) {
    const list = (t: Tensor | null | undefined) => (t ? numbers(t) : null);
    const positions = x!.shape.map((dim) => Array.from({ length: dim }, (_, i) => i));
    const ranges = rangesBetween(x!, numbers(starts!), numbers(ends!), list(axes), list(steps));
    for (const { axis, first, step, count } of ranges) {
      positions[axis] = Array.from({ length: count as number }, (_, i) => first + i * step);
    }
    return [select(x!, positions)];
  },
  /** Nothing to cut; or dimensions of a shape, which are known although the whole shape may not be. */
  simplify(b, inputs) {
    const x = required("Slice", inputs, 0);
    const ranges = rangesOf(inputs);
    if (ranges.every(({ axis, step, count }) => step === 1 && count === x.shape[axis])) return [x];
    const dims = dimsOf(x);
    if (dims === null || x.shape.length === 0) return null;
    const [{ first, step, count }] = ranges as [Range];
    const kept = Array.from({ length: count as number }, (_, i) => dims[first + i * step]!);
    return isStatic(kept) ? [b.constant(tensor(x.dtype, [kept.length], kept))] : null;
  },
  vjp(b, { inputs }, [cotangent]) {
    const x = inputs[0]!;
    let g = cotangent!;
    const before = x.shape.map(() => 0);
    const after = x.shape.map(() => 0);
    for (const { axis, first, step, count } of rangesOf(inputs)) {
      const dim = x.shape[axis]!;
      if (typeof count === "string" || typeof dim === "string") continue;
      if (count === 0) return [null];
      if (step < 0) g = flip(b, g, axis);
      const [start, stride] = step < 0 ? [first + (count - 1) * step, -step] : [first, step];
      g = spread(b, g, axis, stride);
      before[axis] = start;
      after[axis] = dim - start - count * stride;
    }
    return [pad(b, g, before, after)];
  },
};

/** The elements at given positions of each axis; a negative position stands for `fill`. */
function select(x: Tensor, positions: readonly (readonly number[])[], fill: number | bigint = 0): Tensor {
  const shape = positions.map((list) => list.length);
  const strides = stridesOf(x.shape);
  const data = emptyData(
    x.dtype,
    shape.reduce((p, d) => p * d, 1),
  ) as TensorData;
  for (let i = 0; i < data.length; i++) {
    let rest = i;
    let from = 0;
    let isInside = true;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const position = positions[axis]![rest % shape[axis]!]!;
      isInside &&= position >= 0;
      from += position * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    data[i] = isInside ? x.data[from]! : fill;
  }
  return { dtype: x.dtype, shape, data } as Tensor;
}

/** Puts step − 1 zeros after each element along an axis. */
function spread(b: Builder, x: Value, axis: number, step: number): Value {
  if (step === 1) return x;
  const zeros = [...x.shape.map(() => 0), 0];
  const padded = pad(
    b,
    unsqueeze(b, x, [axis + 1]),
    zeros,
    zeros.map((_, i) => (i === axis + 1 ? step - 1 : 0)),
  );
  const shape = x.shape.map((dim, i) => (typeof dim === "string" ? -1 : i === axis ? dim * step : dim));
  return reshape(b, padded, shape);
}

/** x from `start` to before `end` along an axis; negative bounds count from the end. */
export function slice(b: Builder, x: Value, axis: number, start: number, end: number, step = 1): Value {
  const from = normaliseAxis(axis, x.shape.length, "Slice");
  const bounds = [[start], [end], [from]].map((list) => b.ints(list));
  return b.apply(Slice, [x, ...bounds, step === 1 ? null : b.ints([step])]);
}

/** x backwards along an axis. */
export function flip(b: Builder, x: Value, axis: number): Value {
  return slice(b, x, axis, -1, -(2 ** 31), -1);
}

/** Elements that a Pad puts before and after each axis; negative ones are cut away. */
interface Padding {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

function paddingOf(rank: number, pads: readonly number[], given: readonly number[] | null): Padding {
  const axes = normaliseAxes(given ?? Array.from({ length: rank }, (_, i) => i), rank, "Pad");
  if (pads.length !== 2 * axes.length) {
    throw new ShapeError(
      `Pad: ${2 * axes.length} pads are needed for ${axes.length} axes, but got ${pads.length}.`,
    );
  }
  const before: number[] = new Array(rank).fill(0);
  const after: number[] = new Array(rank).fill(0);
  axes.forEach((axis, i) => {
    before[axis] = pads[i]!;
    after[axis] = pads[i + axes.length]!;
  });
  return { before, after };
}

function paddingOfInputs(inputs: readonly (Value | null)[]): Padding {
  const pads = constantInts("Pad", "the pads", required("Pad", inputs, 1))!;
  return paddingOf(required("Pad", inputs, 0).shape.length, pads, constantInts("Pad", "axes", inputs[3]));
}

/** Where the pads take their elements from: the operand's position for one before its begin or after its end. */
const sources: Readonly<Record<string, (position: number, dim: number) => number>> = {
  constant: () => -1,
  edge: (position, dim) => Math.min(dim - 1, Math.max(0, position)),
  reflect: (position, dim) => (position < 0 ? -position : 2 * (dim - 1) - position),
  wrap: (position, dim) => (position + dim) % dim,
};

/** Pad: with a constant, or with the operand's own elements (`mode` reflect, edge or wrap). */
export const Pad: Op = {
  type: "Pad",
  inputs: [
    takes("data", anything),
    takes("pads", int64, { since: 11, list: true }),
    mayTake("constant_value", anything, { since: 11 }),
    mayTake("axes", indices, { since: 18, list: true }),
  ],
  attributes: {
    mode: choice(["constant", "reflect", "edge", "wrap"]),
    pads: attributeOf("ints", { until: 11, required: true }),
    value: float(0, { until: 11 }),
  },
  infer(inputs, { mode = "constant" }) {
    const x = required("Pad", inputs, 0);
    checkSingle("Pad", "the constant value", inputs[2]);
    const { before, after } = paddingOfInputs(inputs);
    const source = sources[mode as string];
    if (source === undefined) throw new GraphError(`Pad: there is no mode "${mode}".`);
    const shape = x.shape.map((dim, axis) => {
      const [p, q] = [before[axis]!, after[axis]!];
      if (p === 0 && q === 0) return dim;
      const size = typeof dim === "number" ? dim + p + q : -1;
      const reach = { constant: Infinity, edge: Infinity, reflect: (dim as number) - 1, wrap: dim as number }[
        mode as string
      ]!;
      const fits = mode === "constant" || (p >= 0 && q >= 0 && Math.max(p, q) <= reach && dim !== 0);
      if (size >= 0 && fits) return size;
      throw new ShapeError(
        `Pad: axis ${axis} of ${showType(x)} cannot be padded by ${p} and ${q} in mode ${mode}. ` +
          "The dimension must be static, and only the mode constant cuts.",
      );
    });
    return [{ dtype: x.dtype, shape }];
  },
  fold([x, pads, value, axes], { mode = "constant" }) {
    const { before, after } = paddingOf(x!.shape.length, numbers(pads!), axes ? numbers(axes) : null);
    const positions = x!.shape.map((dim, axis) =>
      Array.from({ length: dim + before[axis]! + after[axis]! }, (_, i) => {
        const position = i - before[axis]!;
        return position >= 0 && position < dim ? position : sources[mode as string]!(position, dim);
      }),
    );
    return [select(x!, positions, value ? value.data[0]! : tensor(x!.dtype, [1], [0]).data[0]!)];
  },
  simplify(_, inputs) {
    const { before, after } = paddingOfInputs(inputs);
    return [...before, ...after].every((count) => count === 0) ? [inputs[0]!] : null;
  },
  vjp(b, { inputs, attributes: { mode = "constant" } }, [cotangent]) {
    const g = cotangent!;
    const { before, after } = paddingOfInputs(inputs);
    if (mode !== "constant") {
      const dims = inputs[0]!.shape;
      const unpad = (sum: Value, dim: Dim, axis: number) =>
        foldPads(b, sum, axis, dim, before[axis]!, after[axis]!, mode as string);
      return [dims.reduce((sum, dim, axis) => unpad(sum, dim, axis), g)];
    }
    const dx = pad(
      b,
      g,
      before.map((p) => -p),
      after.map((p) => -p),
    );
    const value = inputs[2];
    if (!value || value.constant !== null) return [dx];
    const rest = sub(b, reduceSum(b, g), reduceSum(b, dx));
    return [dx, null, value.shape.length === 0 ? rest : reshape(b, rest, value)];
  },
};

/** The transpose of padding an axis with its own elements: the pads' cotangents go back to where they came from. */
function foldPads(b: Builder, g: Value, axis: number, dim: Dim, p: number, q: number, mode: string): Value {
  if (typeof dim === "string" || (p === 0 && q === 0)) return g;
  const place = (piece: Value, at: number) => {
    const zeros = piece.shape.map(() => 0);
    const rest = dim - at - (piece.shape[axis] as number);
    return pad(b, piece, zeros.with(axis, at), zeros.with(axis, rest));
  };
  const left = p === 0 ? null : slice(b, g, axis, 0, p);
  const right = q === 0 ? null : slice(b, g, axis, p + dim, p + dim + q);
  const ways: Record<string, (piece: Value, isLeft: boolean) => Value> = {
    edge: (piece, isLeft) => place(reduceSum(b, piece, [axis], true), isLeft ? 0 : dim - 1),
    reflect: (piece, isLeft) => place(flip(b, piece, axis), isLeft ? 1 : dim - 1 - q),
    wrap: (piece, isLeft) => place(piece, isLeft ? dim - p : 0),
  };
  let sum = slice(b, g, axis, p, p + dim);
  if (left !== null) sum = add(b, sum, ways[mode]!(left, true));
  if (right !== null) sum = add(b, sum, ways[mode]!(right, false));
  return sum;
}

/** x with so many elements more before and after each axis; negative counts cut. */
export function pad(
  b: Builder,
  x: Value,
  before: readonly number[],
  after: readonly number[],
  value = 0,
): Value {
  const fill = value === 0 ? null : operand(b, value, x.dtype);
  return b.apply(Pad, [x, b.ints([...before, ...after]), fill]);
}

/** Where elements beyond the ends of an axis come from: the last one there is, a mirror at it, or the other end. */
export type PadMode = "edge" | "reflect" | "wrap";

/** x with so many of its own elements more before and after each axis: at most as many as there are, or one less for `reflect`. */
export function padWith(
  b: Builder,
  x: Value,
  before: readonly number[],
  after: readonly number[],
  mode: PadMode,
): Value {
  return b.apply(Pad, [x, b.ints([...before, ...after])], { mode });
}
