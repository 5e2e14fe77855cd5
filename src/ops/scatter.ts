import { emptyData, ShapeError, sizeOf, stridesOf, type Tensor, type TensorData } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Attributes,
  type Dim,
  GraphError,
  normaliseAxis,
  type Op,
  sameShape,
  showType,
  type Value,
} from "../graph/graph.js";
import { anything, choice, indices as indexTypes, int, int64, takes } from "../graph/signature.js";
import { zerosLike } from "./generate.js";
import { intOf, required } from "./operand.js";
import { cast } from "./reshape.js";

// Reading and writing at computed places. Scattering with addition is the transpose of gathering.

/** The attribute `reduction`: what happens to an element that is written to. */
const reductions = {
  none: (_: number, update: number) => update,
  add: (old: number, update: number) => old + update,
  mul: (old: number, update: number) => old * update,
  max: Math.max,
  min: Math.min,
} as const;

function reductionOf(attributes: Attributes): keyof typeof reductions {
  return (attributes.reduction as keyof typeof reductions | undefined) ?? "none";
}

/** @throws {GraphError} for reductions whose derivative is not worth its nodes */
function differentiable(op: string, attributes: Attributes): "none" | "add" {
  const name = reductionOf(attributes);
  if (name === "none" || name === "add") return name;
  throw new GraphError(`${op} with reduction "${name}" has no derivative rule; "none" and "add" have.`);
}

/** The elements of data at flat places. */
function read(data: Tensor, places: readonly number[], shape: readonly number[]): Tensor {
  const result = emptyData(data.dtype, places.length) as TensorData;
  places.forEach((place, i) => {
    result[i] = data.data[place]!;
  });
  return { dtype: data.dtype, shape, data: result } as Tensor;
}

/** Copies of data with updates written at flat places. */
function write(
  data: Tensor,
  places: readonly number[],
  updates: Tensor,
  op: string,
  attributes: Attributes,
): Tensor {
  const reduce = reductions[reductionOf(attributes)];
  const result = data.data.slice() as TensorData;
  places.forEach((place, i) => {
    const update = updates.data[i]!;
    if (typeof update !== "bigint") result[place] = reduce(Number(result[place]), update);
    else if (reduce === reductions.none) result[place] = update;
    else if (reduce === reductions.add) result[place] = (result[place] as bigint) + update;
    else
      throw new GraphError(
        `${op}: int64 constants with reduction "${attributes.reduction}" are not supported.`,
      );
  });
  return { ...data, data: result } as Tensor;
}

/** The index, counted from the front. */
function inside(op: string, index: number, dim: number): number {
  if (index >= -dim && index < dim) return index < 0 ? index + dim : index;
  throw new ShapeError(`${op}: the index ${index} is outside an axis of length ${dim}.`);
}

/** Flat places in `data` that GatherElements reads for each index. */
function elementPlaces(op: string, data: Tensor, indices: Tensor, attributes: Attributes): number[] {
  const axis = normaliseAxis(intOf(attributes, "axis", 0), data.shape.length, op);
  const strides = stridesOf(data.shape);
  const own = stridesOf(indices.shape);
  return Array.from(indices.data as ArrayLike<number | bigint>, (index, flat) =>
    own.reduce((place, stride, i) => {
      const at = Math.floor(flat / stride) % indices.shape[i]!;
      return place + (i === axis ? inside(op, Number(index), data.shape[axis]!) : at) * strides[i]!;
    }, 0),
  );
}

/**
 * GatherElements: z[i, j] = x[index[i, j], j] (axis 0).  x̄ = ScatterElements of z̄ onto zeros, with addition
 */
export const GatherElements: Op = {
  type: "GatherElements",
  since: 11,
  inputs: [takes("data", anything), takes("indices", indexTypes)],
  attributes: { axis: int(0) },
  infer(inputs, attributes) {
    const [x, indices] = [required("GatherElements", inputs, 0), required("GatherElements", inputs, 1)];
    sameRank("GatherElements", x, indices, attributes);
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  fold([x, indices], attributes) {
    const places = elementPlaces("GatherElements", x!, indices!, attributes);
    return [read(x!, places, indices!.shape)];
  },
  vjp: (b, { inputs: [x, indices], attributes }, [g]) => [
    b.apply(ScatterElements, [zerosLike(b, x!), indices!, g!], { ...attributes, reduction: "add" }),
    null,
  ],
};

function sameRank(op: string, x: Value, indices: Value, attributes: Attributes): void {
  const axis = normaliseAxis(intOf(attributes, "axis", 0), x.shape.length, op);
  if (indices.shape.length !== x.shape.length) {
    throw new ShapeError(`${op}: data ${showType(x)} and indices ${showType(indices)} differ in rank.`);
  }
  const isLonger = (dim: Dim, i: number) => {
    const own = x.shape[i]!;
    return (
      i !== axis &&
      (typeof dim === "number" && typeof own === "number" ? dim > own : dim !== own && dim !== 1)
    );
  };
  if (indices.shape.some(isLonger)) {
    throw new ShapeError(
      `${op}: along an axis other than ${axis} the indices ${showType(indices)} are longer than the data ${showType(x)}.`,
    );
  }
}

/**
 * ScatterElements: x with x[index[i, j], j] replaced by, or increased by, u[i, j] (axis 0).
 *
 *   ū = GatherElements of z̄;  x̄ = z̄, with zeros where replaced
 */
export const ScatterElements: Op = {
  type: "ScatterElements",
  since: 11,
  inputs: [takes("data", anything), takes("indices", indexTypes), takes("updates", anything)],
  attributes: { axis: int(0), reduction: choice(["none", "add", "mul", "max", "min"], { since: 16 }) },
  infer(inputs, attributes) {
    const [x, indices, updates] = [0, 1, 2].map((i) => required("ScatterElements", inputs, i)) as [
      Value,
      Value,
      Value,
    ];
    sameRank("ScatterElements", x, indices, attributes);
    if (!sameShape(indices.shape, updates.shape)) {
      throw new ShapeError(
        `ScatterElements: indices ${showType(indices)} and updates ${showType(updates)} differ in shape.`,
      );
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  fold([x, indices, updates], attributes) {
    const places = elementPlaces("ScatterElements", x!, indices!, attributes);
    return [write(x!, places, updates!, "ScatterElements", attributes)];
  },
  vjp(b, { inputs: [, indices, updates], attributes }, [g]) {
    const { reduction: _, ...axis } = attributes;
    const isAdded = differentiable("ScatterElements", attributes) === "add";
    const dx = isAdded ? g! : b.apply(ScatterElements, [g!, indices!, zerosLike(b, updates!)], axis);
    return [dx, null, b.apply(GatherElements, [g!, indices!], axis)];
  },
};

/** Flat places of the blocks that an index list names, element by element. */
function blockPlaces(op: string, data: Tensor, indices: Tensor): number[] {
  const depth = indices.shape.at(-1)!;
  const strides = stridesOf(data.shape);
  const block = sizeOf(data.shape.slice(depth));
  const flat = Array.from(indices.data as ArrayLike<number | bigint>, Number);
  const count = sizeOf(indices.shape.slice(0, -1));
  const places = Array.from({ length: count }, (_, row) => {
    let place = 0;
    for (let i = 0; i < depth; i++) place += inside(op, flat[row * depth + i]!, data.shape[i]!) * strides[i]!;
    return place;
  });
  return places.flatMap((place) => Array.from({ length: block }, (_, i) => place + i));
}

/** Depth of an index list: how many leading axes of the data it names. */
function indexDepth(op: string, x: Value, indices: Value): number {
  const depth = indices.shape.at(-1);
  if (typeof depth === "number" && depth <= x.shape.length && indices.dtype === "int64") return depth;
  throw new ShapeError(
    `${op}: the last axis of the int64 indices names leading axes of the data, but ${showType(indices)} does not fit ${showType(x)}.`,
  );
}

/** GatherND: z[k] = x[index[k]], where an index names leading axes.  x̄ = ScatterND of z̄ onto zeros, with addition */
export const GatherND: Op = {
  type: "GatherND",
  since: 11,
  inputs: [takes("data", anything), takes("indices", int64)],
  attributes: { batch_dims: int(0, { since: 12 }) },
  infer(inputs, attributes) {
    const [x, indices] = [required("GatherND", inputs, 0), required("GatherND", inputs, 1)];
    if (intOf(attributes, "batch_dims", 0) !== 0) {
      throw new GraphError("GatherND: batch_dims other than 0 are not supported. Use GatherElements.");
    }
    const depth = indexDepth("GatherND", x, indices);
    return [{ dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(depth)] }];
  },
  fold([x, indices]) {
    const places = blockPlaces("GatherND", x!, indices!);
    const shape = [...indices!.shape.slice(0, -1), ...x!.shape.slice(indices!.shape.at(-1)!)];
    return [read(x!, places, shape)];
  },
  vjp: (b, { inputs: [x, indices] }, [g]) => [scatterND(b, zerosLike(b, x!), indices!, g!, "add"), null],
};

/**
 * ScatterND: x with x[index[k]] replaced by, or increased by, u[k].
 *
 *   ū = GatherND of z̄;  x̄ = z̄, with zeros where replaced
 */
export const ScatterND: Op = {
  type: "ScatterND",
  since: 11,
  inputs: [takes("data", anything), takes("indices", int64), takes("updates", anything)],
  attributes: { reduction: choice(["none", "add", "mul", "max", "min"], { since: 16 }) },
  infer(inputs) {
    const [x, indices, updates] = [0, 1, 2].map((i) => required("ScatterND", inputs, i)) as [
      Value,
      Value,
      Value,
    ];
    const depth = indexDepth("ScatterND", x, indices);
    const expected = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
    if (!sameShape(expected, updates.shape)) {
      throw new ShapeError(
        `ScatterND: indices ${showType(indices)} into ${showType(x)} need updates of shape [${expected.join(", ")}], but got ${showType(updates)}.`,
      );
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  fold([x, indices, updates], attributes) {
    const places = blockPlaces("ScatterND", x!, indices!);
    return [write(x!, places, updates!, "ScatterND", attributes)];
  },
  vjp(b, { inputs: [, indices, updates], attributes }, [g]) {
    const isAdded = differentiable("ScatterND", attributes) === "add";
    const dx = isAdded ? g! : scatterND(b, g!, indices!, zerosLike(b, updates!));
    return [dx, null, b.apply(GatherND, [g!, indices!])];
  },
};

/** The parts of x at index lists [..., depth]. */
export function gatherND(b: Builder, x: Value, indices: Value): Value {
  return b.apply(GatherND, [x, cast(b, indices, "int64")]);
}

/** x with updates written (or added) at index lists: indices [..., depth], updates [..., rest of x's shape]. */
export function scatterND(
  b: Builder,
  x: Value,
  indices: Value,
  updates: Value,
  reduction: "none" | "add" = "none",
): Value {
  const at = cast(b, indices, "int64");
  return b.apply(ScatterND, [x, at, updates], reduction === "none" ? {} : { reduction });
}

/** Elements of x that lie where indices say along an axis; indices have the rank of x. */
export function gatherElements(b: Builder, x: Value, indices: Value, axis = 0): Value {
  return b.apply(GatherElements, [x, indices], { axis });
}

/** x with updates written (or added) where indices say along an axis; indices and updates have one shape. */
export function scatterElements(
  b: Builder,
  x: Value,
  indices: Value,
  updates: Value,
  { axis = 0, reduction = "none" }: { readonly axis?: number; readonly reduction?: "none" | "add" } = {},
): Value {
  return b.apply(ScatterElements, [x, indices, updates], { axis, reduction });
}
