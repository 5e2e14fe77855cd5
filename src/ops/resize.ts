import { numbers, ShapeError, showShape, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Attributes, type Dim, GraphError, normaliseAxes, type Op, type Value } from "../graph/graph.js";
import {
  attributeOf,
  choice,
  type ElementTypes,
  flag,
  float,
  floats,
  int64,
  mayTake,
  separate,
  takes,
} from "../graph/signature.js";
import { dimsOf } from "./dims.js";
import { composedOf } from "./folding.js";
import { or, where } from "./logic.js";
import { floatOf } from "./operand.js";
import { resampled, rowsOf, type Sampling, transposedRows } from "./resampling.js";

const float32: ElementTypes = { of: ["float32"], words: "float32" };

const coordinateModes = [
  ...["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners"],
  ...["asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn"],
] as const;

/** One axis that is given another length, of which the part from `start` to `end` is taken: 0 and 1 are its ends. */
interface Stretch {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  /** length of the result over that of the part: `to / from`, unless the model gives it otherwise */
  readonly scale: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Resize: x sampled anew along some axes, as if its elements were points of a function: that of the nearest of them, linear or
 * cubic between them. It is linear in x, a matrix along each axis:
 *
 *   y = (W₁ ⊗ W₂ ⊗ …) x,   x̄ = (W₁ᵀ ⊗ W₂ᵀ ⊗ …) ȳ
 */
export const Resize: Op = {
  type: "Resize",
  since: 11,
  inputs: [
    takes("X", floats),
    mayTake("roi", separate(floats)),
    mayTake("scales", float32),
    mayTake("sizes", int64),
  ],
  attributes: {
    antialias: flag(0, { since: 18 }),
    axes: attributeOf("ints", { since: 18 }),
    coordinate_transformation_mode: choice(coordinateModes),
    cubic_coeff_a: float(-0.75),
    exclude_outside: flag(0),
    extrapolation_value: float(0),
    keep_aspect_ratio_policy: choice(["stretch", "not_larger", "not_smaller"], { since: 18 }),
    mode: choice(["nearest", "linear", "cubic"]),
    nearest_mode: choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
  },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const shape = [...x.shape];
    for (const { axis, to } of stretchesOf(inputs, attributes)) shape[axis] = to;
    return [{ dtype: x.dtype, shape }];
  },
  ...composedOf((b, inputs, attributes) => {
    const stretches = stretchesOf(inputs, attributes);
    const y = stretches.reduce(
      (sofar, stretch) => resampled(b, sofar, stretch.axis, matrixOf(stretch, attributes)),
      inputs[0]!,
    );
    const outside = outsideOf(b, y, stretches, attributes);
    return [outside === null ? y : where(b, outside, floatOf(attributes, "extrapolation_value", 0), y)];
  }),
  vjp(b, { inputs, attributes }, [g]) {
    const stretches = stretchesOf(inputs, attributes);
    const outside = outsideOf(b, g!, stretches, attributes);
    const inside = outside === null ? g! : where(b, outside, 0, g!);
    const back = (cotangent: Value, stretch: Stretch) =>
      resampled(b, cotangent, stretch.axis, transposedRows(matrixOf(stretch, attributes), stretch.from));
    return [stretches.reduceRight(back, inside), null, null, null];
  },
};

/** A list among the operands, which must be known; `null` where it is left out or empty. */
function listOf(value: Value | null | undefined): readonly Dim[] | null {
  if (!value || value.shape[0] === 0) return null;
  const list = value.constant === null ? dimsOf(value) : numbers(value.constant);
  if (list !== null) return list;
  throw new GraphError(
    "Resize: roi, scales and sizes must be known when the graph is built, but one is computed from the graph's " +
      "inputs. Give the graph concrete input shapes.",
  );
}

function stretchesOf(inputs: readonly (Value | null)[], attributes: Attributes): Stretch[] {
  const x = inputs[0]!;
  const rank = x.shape.length;
  const given = attributes.axes as readonly number[] | undefined;
  const axes = given === undefined ? x.shape.map((_, axis) => axis) : normaliseAxes(given, rank, "Resize");
  const crops = attributes.coordinate_transformation_mode === "tf_crop_and_resize";
  const [roi, scales, sizes] = [1, 2, 3].map((i) => listOf(inputs[i]));
  const wanted = scales ?? sizes;
  if (!wanted || (scales && sizes) || wanted.length !== axes.length) {
    throw new ShapeError(
      `Resize takes scales or sizes, one for each of ${axes.length} axes, but was given ` +
        `${scales ? `scales ${showShape(scales)}` : "no scales"} and ${sizes ? `sizes ${showShape(sizes)}` : "no sizes"}.`,
    );
  }
  if (crops && roi?.length !== 2 * axes.length) {
    throw new ShapeError(
      `Resize: tf_crop_and_resize needs a roi of ${2 * axes.length} numbers, where each axis starts and then where each ` +
        `ends, but was given ${roi ? showShape(roi) : "none"}.`,
    );
  }
  const common = sizes ? commonScale(x, axes, sizes, attributes) : null;
  return axes.flatMap((axis, i) => {
    const part = crops ? ([roi![i], roi![axes.length + i]] as [number, number]) : ([0, 1] as const);
    const stretch = stretchOf(x, axis, { scale: scales?.[i], size: sizes?.[i], common, part });
    return stretch === null ? [] : [stretch];
  });
}

/** How one axis is resized; `null` if it stays as it is. */
function stretchOf(
  x: Value,
  axis: number,
  { scale, size, common, part: [start, end] }: Wanted,
): Stretch | null {
  const from = x.shape[axis]!;
  const isWhole = start === 0 && end === 1;
  if (isWhole && (scale === 1 || size === from)) return null;
  if (typeof from !== "number" || typeof size === "string" || typeof scale === "string") {
    throw new ShapeError(
      `Resize: axis ${axis} has the length ${from}, which is not known, and is to be resized. Give the graph concrete shapes.`,
    );
  }
  const factor = common ?? scale ?? size! / from;
  const to =
    common !== null
      ? Math.floor(common * from + 0.5)
      : (size ?? Math.floor(Math.fround(from * (end - start) * scale!)));
  if (factor > 0 && to > 0 && from > 0) return { axis, from, to, scale: factor, start, end };
  throw new ShapeError(
    `Resize: axis ${axis} of length ${from} would get the length ${to}. Ask for 1 or more.`,
  );
}

interface Wanted {
  readonly scale: Dim | undefined;
  readonly size: Dim | undefined;
  readonly common: number | null;
  readonly part: readonly [number, number];
}

/** The one scale of all axes where their ratio is to be kept, so that no size is larger, or none smaller, than asked for. */
function commonScale(
  x: Value,
  axes: readonly number[],
  sizes: readonly Dim[],
  { keep_aspect_ratio_policy: policy = "stretch" }: Attributes,
): number | null {
  if (policy === "stretch") return null;
  const ratios = axes.map((axis, i) => Number(sizes[i]) / Number(x.shape[axis]));
  if (ratios.some(Number.isNaN))
    throw new ShapeError("Resize: to keep the aspect ratio, sizes must be known.");
  return policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
}

/** The axes that are given another length, or of which a part is taken. */
export function resizedAxes(inputs: readonly (Value | null)[], attributes: Attributes): number[] {
  return stretchesOf(inputs, attributes).map(({ axis }) => axis);
}

/**
 * Where each element of the result lies in the operand. For the nearest element this is computed in float32, as ONNX Runtime
 * and PyTorch do: of two at the same distance, the rounding decides which is taken.
 */
function coordinatesOf({ from, to, scale, start, end }: Stretch, attributes: Attributes): number[] {
  const round = (attributes.mode ?? "nearest") === "nearest" ? Math.fround : (x: number) => x;
  const factor = round(scale);
  // half of what the length is cut off by, where it is a length times a scale
  const shift = round((from / 2) * round(1 - round(to / round(factor * from))));
  const centre = (i: number) => round(round(round(i + 0.5) / factor) - 0.5);
  const coordinate = (i: number): number => {
    switch (attributes.coordinate_transformation_mode as (typeof coordinateModes)[number] | undefined) {
      case "asymmetric":
        return round(i / factor);
      case "tf_half_pixel_for_nn":
        return round(round(i + 0.5) / factor);
      case "align_corners":
        return to === 1 ? 0 : round(round(i * (from - 1)) / (to - 1));
      case "pytorch_half_pixel":
        return to === 1 ? 0 : centre(i);
      case "half_pixel_symmetric":
        return round(round(shift + round(round(i + 0.5) / factor)) - 0.5);
      case "tf_crop_and_resize":
        return to === 1
          ? round(0.5 * (start + end) * (from - 1))
          : round(start * (from - 1) + (i * (end - start) * (from - 1)) / (to - 1));
      default:
        return centre(i);
    }
  };
  return Array.from({ length: to }, (_, i) => coordinate(i));
}

const nearestModes: Readonly<Record<string, (coordinate: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

function matrixOf(stretch: Stretch, attributes: Attributes) {
  const sampling: Sampling = {
    mode: (attributes.mode as Sampling["mode"] | undefined) ?? "nearest",
    nearest: nearestModes[(attributes.nearest_mode as string | undefined) ?? "round_prefer_floor"]!,
    cubic: floatOf(attributes, "cubic_coeff_a", -0.75),
    antialias: attributes.antialias === 1,
    excludesOutside: attributes.exclude_outside === 1,
  };
  return rowsOf(stretch.from, coordinatesOf(stretch, attributes), stretch.scale, sampling);
}

/** Which elements of the result lie outside the operand, where a part of it is asked for that reaches beyond it; else `null`. */
function outsideOf(
  b: Builder,
  y: Value,
  stretches: readonly Stretch[],
  attributes: Attributes,
): Value | null {
  if (attributes.coordinate_transformation_mode !== "tf_crop_and_resize") return null;
  const along = stretches.map((stretch) => {
    const isOutside = coordinatesOf(stretch, attributes).map((x) => x < 0 || x > stretch.from - 1);
    const shape = y.shape.map((_, axis) => (axis === stretch.axis ? stretch.to : 1));
    return isOutside.includes(true) ? b.constant(tensor("bool", shape, isOutside.map(Number))) : null;
  });
  const parts = along.filter((part) => part !== null);
  return parts.length === 0 ? null : parts.reduce((some, part) => or(b, some, part));
}

export interface ResizeOptions {
  /** how x is between its elements; `"linear"` unless given */
  readonly mode?: "nearest" | "linear" | "cubic";
  /**
   * whether the first and last elements stay in place. Else, elements stand for intervals, of which the first and the last keep
   * their outer ends (PyTorch's `align_corners`)
   */
  readonly alignCorners?: boolean;
  /** whether a smaller result takes in all elements, not only those next to its own */
  readonly antialias?: boolean;
}

/**
 * x with other sizes of its last axes, [N, C, …], as `torch.nn.functional.interpolate`.
 *
 * @param sizes  those of the last axes
 */
export function resize(
  b: Builder,
  x: Value,
  sizes: readonly number[],
  { mode = "linear", alignCorners = false, antialias = false }: ResizeOptions = {},
): Value {
  const axes = sizes.map((_, i) => x.shape.length - sizes.length + i);
  const coordinates =
    mode === "nearest" ? "asymmetric" : alignCorners ? "align_corners" : "pytorch_half_pixel";
  return b.apply(Resize, [x, null, null, b.ints(sizes)], {
    axes,
    mode,
    coordinate_transformation_mode: coordinates,
    ...(mode === "nearest" ? { nearest_mode: "floor" } : {}),
    ...(antialias ? { antialias: 1, exclude_outside: 1 } : {}),
  });
}
