import { isFloat, numbers, sizeOf, stridesOf, type Tensor } from "../core/tensor.js";
import { type Dim, normaliseAxis, type Shape, type Value } from "../graph/graph.js";
import { isStatic } from "../ops/dims.js";
import { rangesOf } from "../ops/slice.js";
import { type Place, type Rule, type Rules, throughIntegers, toFloat } from "./rule.js";

// Operators that rearrange elements, and what makes tensors of shapes.

const axisOf = ({ node }: Place, otherwise: number): number =>
  normaliseAxis(Number(node.attributes.axis ?? otherwise), node.inputs[0]!.shape.length, node.op.type);

/** A tensor in another shape; the one dimension that is not known is inferred. */
export function shaped({ w, refuse }: Pick<Place, "w" | "refuse">, x: string, shape: Shape): string {
  const open = shape.filter((dim) => typeof dim === "string").length;
  if (open > 1) refuse("more than one dimension of its result is not known");
  return w.node("Reshape", [x, w.list(shape.map((dim) => (typeof dim === "number" ? dim : -1)))]);
}

const reshape: Rule = (place) => shaped(place, place.x[0]!, place.node.outputs[0]!.shape);

const transpose: Rule = (place) => {
  const { w, node, x, has } = place;
  const [data] = node.inputs;
  const rank = data!.shape.length;
  const backwards = Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const order = w.list((node.attributes.perm as readonly number[] | undefined) ?? backwards);
  if (isFloat(data!.dtype) || !has("transposed integers")) return w.node("Transpose", [x[0]!, order]);
  // as floats, which hold all integers that there are there
  const moved = w.node("Transpose", [toFloat(place, x[0]!), order]);
  return w.node("Cast", [moved], { DstT: { type: "int32" } });
};

const concat: Rule = (place) => {
  const { w, x } = place;
  return w.node("ConcatV2", [...x, w.axis(axisOf(place, 0))], { N: x.length });
};

const split: Rule = (place) => {
  const { w, node, x } = place;
  const axis = axisOf(place, 0);
  const sizes = node.outputs.map(({ shape }) => shape[axis]!);
  if (!isStatic(sizes)) {
    if (sizes.some((size) => size !== sizes[0])) place.refuse("the parts differ in sizes that are not known");
    const name = w.node("Split", [w.axis(axis), x[0]!], { num_split: sizes.length });
    return node.outputs.map((_, i) => `${name}:${i}`);
  }
  const name = w.node("SplitV", [x[0]!, w.list(sizes), w.axis(axis)]);
  return node.outputs.map((_, i) => `${name}:${i}`);
};

/** Blocks are cut out; along axes with a step, elements are gathered: a StridedSlice of integers is one of floats on wasm. */
const slice: Rule = ({ w, node, x, refuse }) => {
  const { shape } = node.inputs[0]!;
  const ranges = new Map(rangesOf(node.inputs).map((range) => [range.axis, range]));
  let from = x[0]!;
  const begins = shape.map(() => 0);
  const sizes = shape.map((dim) => (typeof dim === "number" ? dim : -1));
  for (const [axis, { first, step, count }] of ranges) {
    if (typeof shape[axis] === "string" || typeof count === "string") {
      if (first === 0 && step === 1 && count === shape[axis]) continue;
      refuse("an axis is cut of which the length is not known");
    }
    if (step === 1) {
      begins[axis] = first;
      sizes[axis] = count as number;
    } else {
      const index = Array.from({ length: count as number }, (_, i) => first + i * step);
      from = w.node("GatherV2", [from, w.ints(index), w.axis(axis)]);
      sizes[axis] = count as number;
    }
  }
  return [...ranges.values()].every(({ step }) => step !== 1)
    ? from
    : w.node("Slice", [from, w.list(begins), w.list(sizes)]);
};

/** With a constant; or, axis by axis, with elements of its own, gathered. */
const pad: Rule = (place) => {
  const { w, node, x, refuse } = place;
  const [data, pads, , axes] = node.inputs;
  const { shape } = data!;
  const given = numbers(pads!.constant!);
  const along = axes ? numbers(axes.constant!) : shape.map((_, i) => i);
  const counts = shape.map(() => [0, 0] as [number, number]);
  along.forEach((axis, i) => {
    counts[normaliseAxis(axis, shape.length, "Pad")] = [given[i]!, given[i + along.length]!];
  });
  const mode = (node.attributes.mode as string | undefined) ?? "constant";
  if (mode !== "constant") return ownElements(place, counts, mode);
  let from = x[0]!;
  if (counts.flat().some((count) => count < 0)) {
    const begin = counts.map(([before]) => Math.max(0, -before));
    const sizes = shape.map((dim, i) => {
      const [before, after] = counts[i]!;
      if (typeof dim === "number") return dim - Math.max(0, -before) - Math.max(0, -after);
      return before >= 0 && after >= 0 ? -1 : refuse("an axis is cut of which the length is not known");
    });
    from = w.node("Slice", [from, w.list(begin), w.list(sizes)]);
  }
  const kept = counts.flat().map((count) => Math.max(0, count));
  if (kept.every((count) => count === 0)) return from;
  const value = node.inputs[2];
  const number = value?.constant ? numbers(value.constant)[0]! : 0;
  const fill = isFloat(data!.dtype) ? w.setting(number) : w.axis(number);
  const padded = w.node("PadV2", [from, w.list(kept, [shape.length, 2]), fill]);
  return !value || value.constant !== null ? padded : filled(place, padded, counts);
};

/** The pads filled with a number that is computed. */
function filled({ w, node, x, refuse }: Place, padded: string, counts: readonly [number, number][]): string {
  const { shape } = node.outputs[0]!;
  if (!isStatic(shape)) return refuse("it pads an axis of unknown length with a number that is computed");
  const strides = stridesOf(shape);
  const isInside = Array.from({ length: sizeOf(shape) }, (_, flat) =>
    strides.every((stride, axis) => {
      const at = Math.floor(flat / stride) % shape[axis]!;
      return at >= counts[axis]![0] && at < shape[axis]! - counts[axis]![1];
    }),
  );
  const mask = w.weight({ dtype: "bool", shape, data: Uint8Array.from(isInside, Number) });
  return w.node("SelectV2", [mask, padded, w.node("Reshape", [x[2]!, w.list([])])]);
}

/** Where the pads take their elements from. */
const sources: Readonly<Record<string, (position: number, dim: number) => number>> = {
  edge: (position, dim) => Math.min(dim - 1, Math.max(0, position)),
  reflect: (position, dim) =>
    position < 0 ? -position : position >= dim ? 2 * (dim - 1) - position : position,
  wrap: (position, dim) => (position + dim) % dim,
};

function ownElements(
  { w, node, x, refuse }: Place,
  counts: readonly [number, number][],
  mode: string,
): string {
  const { shape } = node.inputs[0]!;
  return counts.reduce((from, [before, after], axis) => {
    const dim = shape[axis]!;
    if (before === 0 && after === 0) return from;
    if (typeof dim !== "number") return refuse("an axis is padded of which the length is not known");
    const index = Array.from({ length: dim + before + after }, (_, i) => sources[mode]!(i - before, dim));
    return w.node("GatherV2", [from, w.ints(index), w.axis(axis)]);
  }, x[0]!);
}

/** Repeats along axes of size 1; a shape that is not known is computed. */
const expand: Rule = ({ w, node, x }) => {
  const { shape } = node.outputs[0]!;
  return w.node("BroadcastTo", [x[0]!, isStatic(shape) ? w.list(shape) : x[1]!]);
};

const tile: Rule = ({ w, node, x }) => w.node("Tile", [x[0]!, w.list(numbers(node.inputs[1]!.constant!))]);

const shape: Rule = ({ w, node, x }) => {
  const { length: rank } = node.inputs[0]!.shape;
  const clamp = (axis: number) => Math.min(rank, Math.max(0, axis < 0 ? axis + rank : axis));
  const { start = 0, end = rank } = node.attributes as { start?: number; end?: number };
  const whole = w.node("Shape", [x[0]!]);
  const [from, to] = [clamp(start), clamp(end)];
  return from === 0 && to === rank
    ? whole
    : w.node("Slice", [whole, w.list([from]), w.list([Math.max(0, to - from)])]);
};

/** One number repeated. */
const constantOfShape: Rule = ({ w, node, x }) => {
  const [{ dtype, shape }] = node.outputs as readonly [Value];
  const value = node.attributes.value as Tensor | undefined;
  const number = value === undefined ? 0 : Number(value.data[0]);
  const one = isFloat(dtype) ? w.setting(number) : w.axis(number);
  const to = isStatic(shape as readonly Dim[]) ? w.list(shape as readonly number[]) : x[0]!;
  return w.node("Fill", [to, one], { T: { type: isFloat(dtype) ? "float32" : "int32" } });
};

export const layout: Rules = {
  ...{ Reshape: reshape, Flatten: reshape, Squeeze: reshape, Unsqueeze: reshape },
  Identity: ({ x }) => x[0]!,
  ...{ Transpose: throughIntegers(transpose), Concat: throughIntegers(concat) },
  ...{ Split: throughIntegers(split), Slice: throughIntegers(slice), Pad: throughIntegers(pad) },
  ...{ Expand: throughIntegers(expand), Tile: throughIntegers(tile) },
  ...{ Shape: shape, ConstantOfShape: throughIntegers(constantOfShape) },
  Size: ({ w, x }) => w.node("Size", [x[0]!]),
};
