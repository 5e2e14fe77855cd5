import {
  type DType,
  DTypeError,
  emptyData,
  numbers,
  ShapeError,
  sizeOf,
  type Tensor,
  type TensorData,
  tensor,
} from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Attributes,
  type Dim,
  GraphError,
  normaliseAxis,
  type Op,
  showType,
  staticShape,
  type Value,
} from "../graph/graph.js";
import {
  anything,
  attributeOf,
  type ElementTypes,
  float,
  int,
  int64,
  numeric,
  separate,
  takes,
} from "../graph/signature.js";
import { dtypeOfNumber } from "../graph/types.js";
import { add, mul, sub } from "./arithmetic.js";
import { reduceSum } from "./broadcast.js";
import { dimsOf } from "./dims.js";
import { composedOf } from "./folding.js";
import { equal, less, where } from "./logic.js";
import { checkSingle, constantInts, intOf, required } from "./operand.js";
import { cast, reshape, shapeOf, unsqueeze } from "./reshape.js";

// Operators that make tensors from attributes, shapes and numbers.

/** Constant, as files have it; in a graph it is a constant value. */
export const Constant: Op = {
  type: "Constant",
  inputs: [],
  attributes: {
    value: attributeOf("tensor"),
    value_float: float(undefined, { since: 12 }),
    value_int: int(undefined, { since: 12 }),
    value_ints: attributeOf("ints", { since: 12 }),
    value_floats: attributeOf("floats", { since: 12 }),
  },
  infer: (_, attributes) => [constantOf(attributes)],
  simplify: (b, _, attributes) => [b.constant(constantOf(attributes))],
};

function constantOf(attributes: Attributes): Tensor {
  const { value, value_float, value_int, value_ints, value_floats } = attributes;
  if (value !== undefined) return value as Tensor;
  if (value_float !== undefined) return tensor("float32", [], [value_float as number]);
  if (value_int !== undefined) return tensor("int64", [], [value_int as number]);
  const [dtype, list] =
    value_ints === undefined ? (["float32", value_floats] as const) : (["int64", value_ints] as const);
  if (list !== undefined)
    return tensor(dtype, [(list as readonly number[]).length], list as readonly number[]);
  throw new DTypeError(
    `Constant needs one of value, value_float, value_floats, value_int and value_ints, but has ${Object.keys(attributes).join(", ") || "none"}.`,
  );
}

/** ConstantOfShape: one value repeated; the shape is constant, or computed from shapes. */
export const ConstantOfShape: Op = {
  type: "ConstantOfShape",
  since: 9,
  inputs: [takes("input", int64, { list: true })],
  attributes: { value: attributeOf("tensor") },
  infer(inputs, attributes) {
    const target = required("ConstantOfShape", inputs, 0);
    const shape = dimsOf(target) ?? constantInts("ConstantOfShape", "the shape", target)!;
    return [{ dtype: (attributes.value as Tensor | undefined)?.dtype ?? "float32", shape }];
  },
  fold([shape], attributes) {
    const value = attributes.value as Tensor | undefined;
    const dtype = value?.dtype ?? "float32";
    const dims = numbers(shape!);
    const data = emptyData(dtype, sizeOf(dims)) as TensorData;
    if (value !== undefined) data.fill(value.data[0]! as never);
    return [{ dtype, shape: dims, data } as Tensor];
  },
  vjp: () => [null],
};

/** Zeros of the type of another value. */
export function zerosLike(b: Builder, like: Value): Value {
  const zero = { dtype: like.dtype, shape: [1], data: emptyData(like.dtype, 1) } as Tensor;
  return b.apply(ConstantOfShape, [shapeOf(b, like)], { value: zero });
}

/** What has steps. */
const stepped: ElementTypes = {
  of: ["float32", "float64", "int16", "int32", "int64"],
  words: "of floats, int16, int32 or int64",
};

/** Range: start, start + delta, … before limit. */
export const Range: Op = {
  type: "Range",
  since: 11,
  inputs: [takes("start", stepped), takes("limit", stepped), takes("delta", stepped)],
  attributes: { stash_type: int(1, { since: 27 }) },
  infer(inputs) {
    const [start, limit, delta] = [0, 1, 2].map((i) => required("Range", inputs, i)) as [Value, Value, Value];
    return [{ dtype: start.dtype, shape: [rangeLength(start, limit, delta)] }];
  },
  fold([start, limit, delta]) {
    const [from, to, step] = [start!, limit!, delta!].map((t) => numbers(t)[0]!) as [number, number, number];
    const length = lengthOf(from, to, step);
    return [
      tensor(
        start!.dtype,
        [length],
        Array.from({ length }, (_, i) => from + i * step),
      ),
    ];
  },
};

function lengthOf(from: number, to: number, step: number): number {
  if (step === 0) throw new ShapeError("Range: the step is 0.");
  return Math.max(0, Math.ceil((to - from) / step));
}

function rangeLength(start: Value, limit: Value, delta: Value): Dim {
  const ends = [start, limit, delta].map((value) => {
    if (value.shape.length > 0) throw new ShapeError("Range needs scalars.");
    return value.constant === null ? (dimsOf(value)?.[0] ?? null) : numbers(value.constant)[0]!;
  });
  const [from, to, step] = ends;
  if (typeof from === "number" && typeof to === "number" && typeof step === "number")
    return lengthOf(from, to, step);
  if (from === 0 && typeof to === "string" && step === 1) return to;
  throw new GraphError(
    "Range: its bounds must be known when the graph is built, but are computed from the graph's inputs. " +
      "Give the graph concrete input shapes.",
  );
}

/** 0, 1, … length − 1, as int64. */
export function range(b: Builder, length: number): Value {
  return b.apply(Range, [b.scalar("int64", 0), b.scalar("int64", length), b.scalar("int64", 1)]);
}

/** EyeLike: ones on the k-th diagonal of a matrix of the operand's shape. */
export const EyeLike: Op = {
  type: "EyeLike",
  since: 9,
  inputs: [takes("input", anything)],
  attributes: { dtype: int(), k: int(0) },
  infer(inputs, attributes) {
    const x = required("EyeLike", inputs, 0);
    return [{ dtype: eyeType(x.dtype, attributes), shape: x.shape }];
  },
  simplify(b, inputs, attributes) {
    const x = required("EyeLike", inputs, 0);
    const [rows, columns, ...more] = staticShape(x, "EyeLike");
    if (columns === undefined || more.length > 0) throw new ShapeError("EyeLike needs a matrix.");
    const k = intOf(attributes, "k", 0);
    const distance = sub(b, range(b, columns), unsqueeze(b, range(b, rows!), [1]));
    return [cast(b, equal(b, distance, k), eyeType(x.dtype, attributes))];
  },
  vjp: () => [null],
};

function eyeType(dtype: DType, attributes: Attributes): DType {
  return attributes.dtype === undefined ? dtype : dtypeOfNumber(attributes.dtype as number, "EyeLike");
}

/** Size: the number of elements, a constant as soon as the shape is. */
export const Size: Op = {
  type: "Size",
  inputs: [takes("data", anything)],
  infer: (inputs) => [{ dtype: required("Size", inputs, 0).dtype && "int64", shape: [] }],
  simplify(b, inputs) {
    const { shape } = required("Size", inputs, 0);
    return shape.every((dim) => typeof dim === "number")
      ? [b.scalar("int64", sizeOf(shape as number[]))]
      : null;
  },
};

/**
 * OneHot: along a new axis of length `depth`, values[1] where the index is, values[0] elsewhere. Negative indices count
 * from the end, others outside match nowhere.
 *
 *   y = off + (on − off) hot:  the cotangents of off and on are Σ ȳ (1 − hot) and Σ ȳ hot
 */
export const OneHot: Op = {
  type: "OneHot",
  since: 9,
  inputs: [takes("indices", numeric), takes("depth", separate(numeric)), takes("values", separate(anything))],
  attributes: { axis: int(-1) },
  infer(inputs, attributes) {
    const [indices, values] = [required("OneHot", inputs, 0), required("OneHot", inputs, 2)];
    checkSingle("OneHot", "the depth", inputs[1]);
    if (values.shape.length !== 1 || values.shape[0] !== 2) {
      throw new ShapeError(`OneHot needs two values, for off and on, but got ${showType(values)}.`);
    }
    const { axis, depth } = hotAxis(inputs, attributes);
    return [{ dtype: values.dtype, shape: indices.shape.toSpliced(axis, 0, depth) }];
  },
  vjp(b, { inputs, attributes }, [cotangent]) {
    const g = cotangent!;
    const on = reduceSum(b, mul(b, g, cast(b, hot(b, inputs, attributes), g.dtype)));
    const off = sub(b, reduceSum(b, g), on);
    const selects = b.constant(tensor(g.dtype, [2], [0, 1]));
    return [null, null, add(b, mul(b, sub(b, 1, selects), off), mul(b, selects, on))];
  },
  ...composedOf((b, inputs, attributes) => {
    const selects = b.constant(tensor("bool", [2], [0, 1]));
    const of = (index: number) => {
      const mask = cast(b, index === 1 ? selects : equal(b, cast(b, selects, "int32"), 0), inputs[2]!.dtype);
      return reduceSum(b, mul(b, inputs[2]!, mask));
    };
    return [where(b, hot(b, inputs, attributes), of(1), of(0))];
  }),
};

function hotAxis(inputs: readonly (Value | null)[], attributes: Attributes): { axis: number; depth: number } {
  const rank = required("OneHot", inputs, 0).shape.length + 1;
  const depth = constantInts("OneHot", "the depth", required("OneHot", inputs, 1))![0]!;
  return { axis: normaliseAxis(intOf(attributes, "axis", -1), rank, "OneHot"), depth };
}

function hot(b: Builder, inputs: readonly (Value | null)[], attributes: Attributes): Value {
  const { axis, depth } = hotAxis(inputs, attributes);
  const given = cast(b, inputs[0]!, "int64");
  const wrapped = where(b, less(b, given, 0), add(b, given, depth), given);
  const positions = range(b, depth);
  const shape = Array.from({ length: given.shape.length + 1 }, (_, i) => (i === axis ? depth : 1));
  return equal(b, unsqueeze(b, wrapped, [axis]), reshape(b, positions, shape));
}

/** Indices turned into rows of zeros with a one, along a new last axis. */
export function oneHot(b: Builder, indices: Value, depth: number, dtype: DType): Value {
  return b.apply(OneHot, [indices, b.scalar("int64", depth), b.constant(tensor(dtype, [2], [0, 1]))]);
}
