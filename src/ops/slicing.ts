import { emptyData, numbers, ShapeError, type Tensor, type TensorData, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { quotientOf, sumOf } from "../graph/dimension.js";
import {
  type Attributes,
  type Dim,
  normaliseAxis,
  type Op,
  showType,
  staticShape,
  type Value,
} from "../graph/graph.js";
import {
  anything,
  attributeOf,
  indices as indexTypes,
  int,
  int64,
  mayTake,
  takes,
  takesMany,
} from "../graph/signature.js";
import { dimsOf, isStatic } from "./dims.js";
import { zerosLike } from "./generate.js";
import { constantInts, type Operand, operand, required } from "./operand.js";
import { transpose, unsqueeze } from "./reshape.js";
import { scatterND } from "./scatter.js";

// Operators that cut tensors apart and put them together; each transpose is another one of the file.

/** Copies a block between two tensors seen as [outer, axis, inner]. */
function copyAlong(
  from: Tensor,
  fromAt: (i: number) => number,
  count: number,
  axis: number,
  to: TensorData,
  toLength: number,
  toAt: (i: number) => number,
): void {
  const inner = from.shape.slice(axis + 1).reduce((p, d) => p * d, 1);
  const outer = from.shape.slice(0, axis).reduce((p, d) => p * d, 1);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      const source = (o * from.shape[axis]! + fromAt(i)) * inner;
      const target = (o * toLength + toAt(i)) * inner;
      for (let k = 0; k < inner; k++) to[target + k] = from.data[source + k]!;
    }
  }
}

/** Concat along an axis. Its transpose is Split. */
export const Concat: Op = {
  type: "Concat",
  inputs: [takesMany("inputs", anything)],
  attributes: { axis: int(undefined, { required: true }) },
  infer(inputs, attributes) {
    const first = required("Concat", inputs, 0);
    const axis = normaliseAxis(attributes.axis as number, first.shape.length, "Concat");
    for (const value of inputs) {
      const fits = value!.shape.length === first.shape.length;
      if (!fits || value!.shape.some((dim, i) => i !== axis && dim !== first.shape[i])) {
        throw new ShapeError(
          `Concat along axis ${axis}: ${inputs.map((v) => showType(v!)).join(" and ")} differ in another axis.`,
        );
      }
    }
    const dims = inputs.map((value) => value!.shape[axis]!);
    const dim = sumOf(dims);
    return [{ dtype: first.dtype, shape: first.shape.map((d, i) => (i === axis ? dim : d)) }];
  },
  fold(inputs, attributes) {
    const first = inputs[0]!;
    const axis = normaliseAxis(attributes.axis as number, first.shape.length, "Concat");
    const shape = [...first.shape];
    shape[axis] = inputs.reduce((sum, t) => sum + t!.shape[axis]!, 0);
    const data = emptyData(
      first.dtype,
      shape.reduce((p, d) => p * d, 1),
    ) as TensorData;
    let at = 0;
    for (const t of inputs) {
      const start = at;
      copyAlong(
        t!,
        (i) => i,
        t!.shape[axis]!,
        axis,
        data,
        shape[axis]!,
        (i) => start + i,
      );
      at += t!.shape[axis]!;
    }
    return [{ dtype: first.dtype, shape, data } as Tensor];
  },
  simplify: (_, inputs) => (inputs.length === 1 ? [inputs[0]!] : null),
  vjp(b, { inputs, attributes }, [cotangent]) {
    const axis = normaliseAxis(attributes.axis as number, inputs[0]!.shape.length, "Concat");
    const [first] = inputs.map((value) => value!.shape[axis]!);
    if (typeof first === "string" && inputs.every((value) => value!.shape[axis] === first)) {
      return b.emit(Split, [cotangent!], { axis, num_outputs: inputs.length });
    }
    return split(
      b,
      cotangent!,
      axis,
      inputs.map((value) => staticAxis("Concat", value!, axis)),
    );
  },
};

function staticAxis(op: string, value: Value, axis: number): number {
  const dim = value.shape[axis]!;
  if (typeof dim === "number") return dim;
  staticShape(value, `${op} along axis ${axis}`);
  return Number.NaN;
}

export function concat(b: Builder, values: readonly Value[], axis: number): Value {
  return b.apply(Concat, values, { axis: normaliseAxis(axis, values[0]!.shape.length, "Concat") });
}

/** Split along an axis into given sizes, or into `num_outputs` equal parts (the last may be smaller). */
export const Split: Op = {
  type: "Split",
  inputs: [takes("input", anything), mayTake("split", int64, { since: 13, list: true })],
  outputs: Number.POSITIVE_INFINITY,
  attributes: {
    axis: int(0),
    num_outputs: int(undefined, { since: 18 }),
    split: attributeOf("ints", { until: 13 }),
  },
  infer(inputs, attributes) {
    const x = required("Split", inputs, 0);
    const { axis, sizes } = splitSizes(x, constantInts("Split", "the sizes", inputs[1]), attributes);
    return sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.map((d, i) => (i === axis ? size : d)) }));
  },
  fold([x, given], attributes) {
    const list = given ? Array.from(given.data as BigInt64Array, Number) : null;
    const { axis, sizes } = splitSizes(x!, list, attributes);
    let at = 0;
    return (sizes as readonly number[]).map((size) => {
      const shape = x!.shape.map((d, i) => (i === axis ? size : d));
      const data = emptyData(
        x!.dtype,
        shape.reduce((p, d) => p * d, 1),
      ) as TensorData;
      const start = at;
      copyAlong(
        x!,
        (i) => start + i,
        size,
        axis,
        data,
        size,
        (i) => i,
      );
      at += size;
      return { dtype: x!.dtype, shape, data } as Tensor;
    });
  },
  simplify: (_, [x, given], attributes) =>
    splitSizes(x!, constantInts("Split", "the sizes", given), attributes).sizes.length === 1 ? [x!] : null,
  vjp(b, { inputs: [x], outputs, attributes }, cotangents) {
    const axis = normaliseAxis((attributes.axis as number | undefined) ?? 0, x!.shape.length, "Split");
    const parts = outputs.map((output, i) => cotangents[i] ?? zerosLike(b, output));
    return [concat(b, parts, axis), null];
  },
};

function splitSizes(
  x: { readonly shape: readonly Dim[] },
  given: readonly number[] | null,
  attributes: Attributes,
): { axis: number; sizes: readonly Dim[] } {
  const axis = normaliseAxis((attributes.axis as number | undefined) ?? 0, x.shape.length, "Split");
  const dim = x.shape[axis]!;
  if (typeof dim === "string") {
    const parts = given === null ? ((attributes.num_outputs as number | undefined) ?? 0) : 0;
    const each = parts < 1 ? null : quotientOf([dim], [parts]);
    if (each !== null) return { axis, sizes: new Array<Dim>(parts).fill(each) };
    throw new ShapeError(
      `Split: axis ${axis} has the symbolic dimension "${dim}", which it does not divide.`,
    );
  }
  if (given !== null) {
    if (attributes.num_outputs !== undefined) {
      throw new ShapeError("Split takes the sizes of its parts or num_outputs, but both were given.");
    }
    if (given.reduce((sum, size) => sum + size, 0) === dim && given.every((size) => size >= 0)) {
      return { axis, sizes: given };
    }
    throw new ShapeError(`Split: the sizes ${given.join(", ")} do not add up to ${dim}.`);
  }
  const count = (attributes.num_outputs as number | undefined) ?? 0;
  if (count < 1) throw new ShapeError("Split needs the sizes of its parts, or num_outputs.");
  const size = Math.ceil(dim / count);
  return {
    axis,
    sizes: Array.from({ length: count }, (_, i) => Math.max(0, Math.min(size, dim - i * size))),
  };
}

export function split(b: Builder, x: Value, axis: number, sizes: readonly number[]): Value[] {
  return [...b.emit(Split, [x, b.ints(sizes)], { axis: normaliseAxis(axis, x.shape.length, "Split") })];
}

/**
 * Gather along an axis, with indices of any shape; negative ones count from the end. Its transpose adds the cotangent
 * up at the indices:  x̄[index[k]] += z̄[k]
 */
export const Gather: Op = {
  type: "Gather",
  inputs: [takes("data", anything), takes("indices", indexTypes)],
  attributes: { axis: int(0) },
  infer(inputs, attributes) {
    const x = required("Gather", inputs, 0);
    const indices = required("Gather", inputs, 1);
    const axis = normaliseAxis((attributes.axis as number | undefined) ?? 0, x.shape.length, "Gather");
    return [
      { dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] },
    ];
  },
  fold([x, indices], attributes) {
    const axis = normaliseAxis((attributes.axis as number | undefined) ?? 0, x!.shape.length, "Gather");
    const at = Array.from(indices!.data as ArrayLike<number | bigint>, Number);
    const shape = [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)];
    const data = emptyData(
      x!.dtype,
      shape.reduce((p, d) => p * d, 1),
    ) as TensorData;
    const dim = x!.shape[axis]!;
    if (at.some((i) => i < -dim || i >= dim)) {
      throw new ShapeError(`Gather: an index is outside axis ${axis} of length ${dim}.`);
    }
    copyAlong(
      x!,
      (i) => (at[i]! + dim) % dim,
      at.length,
      axis,
      data,
      at.length,
      (i) => i,
    );
    return [{ dtype: x!.dtype, shape, data } as Tensor];
  },
  /** Dimensions of a shape are known although the whole shape may not be. */
  simplify(b, [x, indices]) {
    const dims = indices!.constant === null ? null : dimsOf(x!);
    if (dims === null || x!.shape.length !== 1) return null;
    const picked = numbers(indices!.constant!).map((i) => dims.at(i) ?? "");
    return isStatic(picked) ? [b.constant(tensor(x!.dtype, indices!.shape as number[], picked))] : null;
  },
  vjp(b, { inputs: [x, indices], attributes }, [g]) {
    const rank = x!.shape.length;
    const axis = normaliseAxis((attributes.axis as number | undefined) ?? 0, rank, "Gather");
    const count = indices!.shape.length;
    // ScatterND writes along leading axes, so the gathered ones go to the front
    const first = (length: number, from: number, size: number) => {
      const axes = Array.from({ length }, (_, i) => i);
      return [...axes.slice(from, from + size), ...axes.slice(0, from), ...axes.slice(from + size)];
    };
    const perm = first(rank, axis, 1);
    const zeros = transpose(b, zerosLike(b, x!), perm);
    const updates = transpose(b, g!, first(rank - 1 + count, axis, count));
    const sums = scatterND(b, zeros, unsqueeze(b, indices!, [-1]), updates, "add");
    const back = perm.map((_, i) => perm.indexOf(i));
    return [transpose(b, sums, back), null];
  },
};

/** x[index] along an axis; a scalar index drops the axis. */
export function gather(b: Builder, x: Value, index: Operand, axis = 0): Value {
  return b.apply(Gather, [x, operand(b, index, "int64")], { axis });
}
