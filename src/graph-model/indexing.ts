import { isFloat, numbers, sizeOf, stridesOf } from "../core/tensor.js";
import { normaliseAxis, type Value } from "../graph/graph.js";
import { isStatic } from "../ops/dims.js";
import { type Place, type Rule, type Rules, throughIntegers } from "./rule.js";

// Reading and writing at computed places. Not every backend looks whether an index is inside, so what is written here is
// only ever given indices that are: by what is known of them (`integers.ts`), or because they are looked at before a run.

/** Indices along an axis, counted from the front. */
function counted(place: Place, indices: Value, name: string, length: number): string {
  const { w, bounds, refuse } = place;
  if (indices.constant !== null) {
    const values = numbers(indices.constant);
    const outside = values.find((i) => i < -length || i >= length);
    if (outside !== undefined) refuse(`the index ${outside} is outside an axis of length ${length}`);
    return w.ints(
      values.map((i) => (i < 0 ? i + length : i)),
      indices.constant.shape,
    );
  }
  const [low, high] = bounds(indices);
  if (low < -length || high >= length) {
    refuse(
      `its indices may be from ${low} to ${high}, and it reads or writes along an axis of length ${length} without looking`,
    );
  }
  if (low >= 0) return name;
  const isNegative = w.node("Less", [name, w.int(0)]);
  return w.node("SelectV2", [isNegative, w.node("AddV2", [name, w.int(length)]), name]);
}

const gather: Rule = (place) => {
  const { w, node, x, refuse } = place;
  const [data, indices] = node.inputs as readonly [Value, Value];
  const axis = normaliseAxis(Number(node.attributes.axis ?? 0), data.shape.length, "Gather");
  const dim = data.shape[axis]!;
  if (typeof dim === "string") {
    const known = indices.constant === null ? [-1] : numbers(indices.constant);
    // what a batch has at least is its first
    if (known.some((i) => i !== 0)) refuse("it gathers along an axis of unknown length");
    return w.node("GatherV2", [x[0]!, x[1]!, w.axis(axis)]);
  }
  return w.node("GatherV2", [x[0]!, counted(place, indices, x[1]!, dim), w.axis(axis)]);
};

/** The shapes of operands, as numbers. */
function staticShapes({ node, refuse }: Place): readonly (readonly number[])[] {
  return node.inputs.map((value) => {
    const shape = value?.shape ?? [];
    return isStatic(shape) ? shape : refuse("it takes or puts elements where dimensions are not known");
  });
}

/** Flat places, in the order of the data, that index lists name:  Σᵢ index[…, i] strideᵢ */
function placesOfLists(place: Place): {
  places: string;
  count: number;
  block: readonly number[];
  rows: number;
} {
  const { w, node, x } = place;
  const [data, lists] = staticShapes(place) as [readonly number[], readonly number[]];
  const indices = node.inputs[1]!;
  const depth = lists.at(-1)!;
  const [lead, block] = [data.slice(0, depth), data.slice(depth)];
  const strides = stridesOf(lead);
  const count = sizeOf(lists.slice(0, -1));
  const rows = sizeOf(lead);
  if (depth === 0) return { places: w.ints(new Array(count).fill(0)), count, block, rows };
  if (indices.constant !== null) {
    const values = numbers(indices.constant);
    const places = Array.from({ length: count }, (_, k) =>
      lead.reduce((sum, dim, i) => sum + inside(place, values[k * depth + i]!, dim) * strides[i]!, 0),
    );
    return { places: w.ints(places), count, block, rows };
  }
  const parts = lead.map((dim, i) => {
    const column = w.node("Reshape", [
      w.node("Slice", [
        w.node("Reshape", [x[1]!, w.list([count, depth])]),
        w.list([0, i]),
        w.list([count, 1]),
      ]),
      w.list([count]),
    ]);
    const index = counted(place, indices, column, dim);
    return strides[i] === 1 ? index : w.node("Mul", [index, w.int(strides[i]!)]);
  });
  return { places: parts.reduce((sum, part) => w.node("AddV2", [sum, part])), count, block, rows };
}

function inside({ refuse }: Place, index: number, dim: number): number {
  if (index < -dim || index >= dim) return refuse(`the index ${index} is outside an axis of length ${dim}`);
  return index < 0 ? index + dim : index;
}

/** Flat places of the elements that indices name along an axis, the other axes as they lie. */
function placesOfElements(place: Place): { places: string; count: number } {
  const { w, node, x } = place;
  const [data, shape] = staticShapes(place) as [readonly number[], readonly number[]];
  const axis = normaliseAxis(Number(node.attributes.axis ?? 0), data.length, node.op.type);
  const [strides, own] = [stridesOf(data), stridesOf(shape)];
  const count = sizeOf(shape);
  const besides = Array.from({ length: count }, (_, flat) =>
    own.reduce(
      (sum, stride, i) => sum + (i === axis ? 0 : (Math.floor(flat / stride) % shape[i]!) * strides[i]!),
      0,
    ),
  );
  const index = counted(place, node.inputs[1]!, x[1]!, data[axis]!);
  const along = w.node("Mul", [w.node("Reshape", [index, w.list([count])]), w.int(strides[axis]!)]);
  return { places: w.node("AddV2", [along, w.ints(besides)]), count };
}

/** Rows of x at flat places replaced by others, or increased by them. */
function scattered(
  place: Place,
  places: string,
  count: number,
  rows: number,
  block: readonly number[],
): string {
  const { w, node, x, has, refuse } = place;
  const { dtype, shape } = node.inputs[0]!;
  const reduction = (node.attributes.reduction ?? "none") as string;
  if (dtype === "bool") refuse("it writes truth values at computed places");
  const size = sizeOf(block);
  const flat = w.node("Reshape", [x[0]!, w.list([rows, size])]);
  const updates = w.node("Reshape", [x[2]!, w.list([count, size])]);
  const lists = w.node("Reshape", [places, w.list([count, 1])]);
  const back = (value: string) => w.node("Reshape", [value, w.list(shape as readonly number[])]);
  if (count === 0) return x[0]!;
  if (reduction === "none") {
    const one = isFloat(dtype) ? w.float(1) : w.int(1);
    const copy = has("writing in place") ? w.node("Mul", [flat, one]) : flat;
    return back(w.node("TensorScatterUpdate", [copy, lists, updates]));
  }
  if (reduction !== "add" || !isFloat(dtype))
    refuse(`it writes at computed places with the reduction "${reduction}"`);
  return back(w.node("AddV2", [flat, w.node("ScatterNd", [lists, updates, w.list([rows, size])])]));
}

const gatherLists: Rule = (place) => {
  const { w, node, x } = place;
  const { places, rows, block } = placesOfLists(place);
  const flat = w.node("Reshape", [x[0]!, w.list([rows, ...block])]);
  const found = w.node("GatherV2", [flat, places, w.axis(0)]);
  return w.node("Reshape", [found, w.list(node.outputs[0]!.shape as readonly number[])]);
};

const gatherElements: Rule = (place) => {
  const { w, node, x } = place;
  const { places } = placesOfElements(place);
  const flat = w.node("Reshape", [x[0]!, w.list([-1])]);
  const found = w.node("GatherV2", [flat, places, w.axis(0)]);
  return w.node("Reshape", [found, w.list(node.outputs[0]!.shape as readonly number[])]);
};

export const indexing: Rules = {
  Gather: throughIntegers(gather),
  GatherND: throughIntegers(gatherLists),
  GatherElements: throughIntegers(gatherElements),
  ScatterND: (place) => {
    const { places, count, rows, block } = placesOfLists(place);
    return scattered(place, places, count, rows, block);
  },
  ScatterElements: (place) => {
    const { places, count } = placesOfElements(place);
    return scattered(place, places, count, sizeOf(place.node.inputs[0]!.shape as readonly number[]), []);
  },
};
