import { ShapeError, showShape, sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Attributes, type Op, showType, type Value } from "../graph/graph.js";
import { attributeOf, choice, floats, int, mayTake, takes } from "../graph/signature.js";
import { add } from "./arithmetic.js";
import { reduceSum } from "./broadcast.js";
import { composedOf } from "./folding.js";
import { matmul, swapLast } from "./linalg.js";
import { intOf, required } from "./operand.js";
import { reshape } from "./reshape.js";
import { fold, spatialSizes, unfold, type Windows, windowsOf } from "./windows.js";

// Convolutions as products of matrices: with X̃ what the windows see, [C·offsets, windows],
//
//   Y = W X̃ + b,   W̄ = Ȳ X̃ᵀ,   X̄ = fold(Wᵀ Ȳ),   b̄ = Σ Ȳ

const attributes = {
  auto_pad: choice(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
  dilations: attributeOf("ints"),
  group: int(1),
  kernel_shape: attributeOf("ints"),
  pads: attributeOf("ints"),
  strides: attributeOf("ints"),
} as const;

/** What a convolution is of: x [N, C, …], w [M, C / groups, …]. */
interface Setting {
  readonly windows: Windows;
  readonly groups: number;
  /** channels in and out */
  readonly channels: number;
  readonly filters: number;
}

function settingOf(op: "Conv" | "ConvTranspose", x: Value, w: Value, given: Attributes): Setting {
  const input = spatialSizes(op, x);
  const groups = intOf(given, "group", 1);
  const channels = x.shape[1] as number;
  const kernel = w.shape.slice(2) as number[];
  const declared = given.kernel_shape as readonly number[] | undefined;
  const [first, second] = w.shape as readonly [number, number];
  const fits =
    w.shape.length === x.shape.length &&
    [...w.shape].every((dim) => typeof dim === "number") &&
    groups >= 1 &&
    channels % groups === 0 &&
    (op === "Conv" ? second * groups === channels && first % groups === 0 : first === channels);
  if (!fits || (declared !== undefined && declared.join() !== kernel.join())) {
    throw new ShapeError(
      `${op}: weights ${showType(w)}${declared === undefined ? "" : ` with kernel_shape ${showShape(declared)}`} do not fit ` +
        `${showType(x)} in ${groups} ${groups === 1 ? "group" : "groups"}.`,
    );
  }
  if (op === "Conv")
    return { windows: windowsOf(op, input, kernel, given), groups, channels, filters: first };
  return { windows: transposedWindows(input, kernel, given), groups, channels, filters: second * groups };
}

/** w [M, C/g, …] as matrices [g, M/g, C/g · offsets]. */
function matrices(b: Builder, w: Value, groups: number): Value {
  const [m, c, ...kernel] = w.shape as readonly number[];
  return reshape(b, w, [groups, m! / groups, c! * sizeOf(kernel)]);
}

/** [N, C, offsets, windows] in groups, [N, g, C/g · offsets, windows]. */
function grouped(b: Builder, columns: Value, groups: number): Value {
  const [, c, offsets, count] = columns.shape as readonly number[];
  return reshape(b, columns, [-1, groups, (c! / groups) * offsets!, count!]);
}

/** y [N, M, …] in groups, [N, g, M/g, windows]. */
function flat(b: Builder, y: Value, groups: number): Value {
  const [, m, ...sizes] = y.shape as readonly number[];
  return reshape(b, y, [-1, groups, m! / groups, sizeOf(sizes)]);
}

function withBias(b: Builder, y: Value, bias: Value | null | undefined): Value {
  if (!bias) return y;
  return add(b, y, reshape(b, bias, [-1, ...y.shape.slice(2).map(() => 1)]));
}

const biasCotangent = (b: Builder, g: Value) =>
  reduceSum(b, g, [0, ...g.shape.slice(2).map((_, i) => i + 2)]);

/** x [N, C, …] with w [M, C/group, …] and a bias [M]: [N, M, …]. */
export const Conv: Op = {
  type: "Conv",
  inputs: [takes("X", floats), takes("W", floats), mayTake("B", floats)],
  attributes,
  infer([x, w, bias], given) {
    const { windows, filters } = settingOf("Conv", x!, required("Conv", [x!, w!], 1), given);
    checkBias("Conv", bias, filters);
    return [{ dtype: x!.dtype, shape: [x!.shape[0]!, filters, ...windows.output] }];
  },
  ...composedOf((b, [x, w, bias], given) => {
    const { windows, groups, filters } = settingOf("Conv", x!, w!, given);
    const product = matmul(b, matrices(b, w!, groups), grouped(b, unfold(b, x!, windows), groups));
    return [withBias(b, reshape(b, product, [-1, filters, ...windows.output]), bias)];
  }),
  vjp(b, { inputs: [x, w, bias], attributes: given }, [g]) {
    const { windows, groups, channels } = settingOf("Conv", x!, w!, given);
    const cotangent = flat(b, g!, groups);
    const columns = grouped(b, unfold(b, x!, windows), groups);
    const dw = reduceSum(b, matmul(b, cotangent, swapLast(b, columns)), [0]);
    const seen = matmul(b, swapLast(b, matrices(b, w!, groups)), cotangent);
    const offsets = [-1, channels, sizeOf(windows.kernel), sizeOf(windows.output)];
    return [
      fold(b, reshape(b, seen, offsets), windows),
      reshape(b, dw, w!.shape as readonly number[]),
      bias ? biasCotangent(b, g!) : null,
    ];
  },
};

/** The transpose of a Conv in x: x [N, C, …] with w [C, M/group, …] and a bias [M]: [N, M, …]. */
export const ConvTranspose: Op = {
  type: "ConvTranspose",
  inputs: [takes("X", floats), takes("W", floats), mayTake("B", floats)],
  attributes: { ...attributes, output_padding: attributeOf("ints"), output_shape: attributeOf("ints") },
  infer([x, w, bias], given) {
    const { windows, filters } = settingOf(
      "ConvTranspose",
      x!,
      required("ConvTranspose", [x!, w!], 1),
      given,
    );
    checkBias("ConvTranspose", bias, filters);
    return [{ dtype: x!.dtype, shape: [x!.shape[0]!, filters, ...windows.input] }];
  },
  ...composedOf((b, [x, w, bias], given) => {
    const { windows, groups, filters } = settingOf("ConvTranspose", x!, w!, given);
    const seen = matmul(b, swapLast(b, matrices(b, w!, groups)), flat(b, x!, groups));
    const offsets = [-1, filters, sizeOf(windows.kernel), sizeOf(windows.output)];
    return [withBias(b, fold(b, reshape(b, seen, offsets), windows), bias)];
  }),
  vjp(b, { inputs: [x, w, bias], attributes: given }, [g]) {
    const { windows, groups } = settingOf("ConvTranspose", x!, w!, given);
    const columns = grouped(b, unfold(b, g!, windows), groups);
    const dx = matmul(b, matrices(b, w!, groups), columns);
    const dw = reduceSum(b, matmul(b, flat(b, x!, groups), swapLast(b, columns)), [0]);
    return [
      reshape(b, dx, [-1, ...(x!.shape.slice(1) as number[])]),
      reshape(b, dw, w!.shape as readonly number[]),
      bias ? biasCotangent(b, g!) : null,
    ];
  },
};

/** The windows over the output of a ConvTranspose of which there is one for each place of its input. */
function transposedWindows(size: readonly number[], kernel: readonly number[], given: Attributes): Windows {
  const op = "ConvTranspose";
  const rank = size.length;
  const list = (name: string, otherwise: number, length = rank) => {
    const value = (given[name] as readonly number[] | undefined) ?? new Array<number>(length).fill(otherwise);
    if (value.length === length && value.every((n) => n >= (otherwise === 1 ? 1 : 0))) return value;
    throw new ShapeError(
      `${op}: ${name} must be ${length} numbers of ${otherwise} or more, but is ${showShape(value)}.`,
    );
  };
  const [strides, dilations] = [list("strides", 1), list("dilations", 1)];
  const [more, pads] = [list("output_padding", 0), list("pads", 0, 2 * rank)];
  const wanted = given.output_shape as readonly number[] | undefined;
  const auto = (given.auto_pad as string | undefined) ?? "NOTSET";
  const whole = size.map((n, i) => strides[i]! * (n - 1) + more[i]! + dilations[i]! * (kernel[i]! - 1) + 1);
  const same = auto === "SAME_UPPER" || auto === "SAME_LOWER";
  const target = wanted ?? (same ? size.map((n, i) => n * strides[i]!) : undefined);
  // what is more than there is, is put after it
  const totals = target?.map((n, i) => whole[i]! - n);
  const start = (total: number) => {
    const half = Math.floor(Math.max(0, total) / 2);
    return auto === "SAME_UPPER" ? half : Math.max(0, total) - half;
  };
  const none = size.map(() => 0);
  const before = totals?.map(start) ?? (auto === "VALID" ? none : pads.slice(0, rank));
  const ends = totals?.map((n, i) => n - before[i]!) ?? (auto === "VALID" ? none : pads.slice(rank));
  const input = whole.map((n, i) => n - before[i]! - ends[i]!);
  if (input.some((n) => n < 1))
    throw new ShapeError(`${op}: nothing is left of ${showShape(whole)} with pads ${showShape(pads)}.`);
  // what output_padding adds is in the input of the windows, and only the windows' reach is put after it
  const after = size.map((n, i) =>
    Math.max(0, strides[i]! * (n - 1) + dilations[i]! * (kernel[i]! - 1) + 1 - before[i]! - input[i]!),
  );
  return { input, kernel, strides, dilations, before, after, output: size };
}

function checkBias(op: string, bias: Value | null | undefined, filters: number): void {
  if (!bias || (bias.shape.length === 1 && bias.shape[0] === filters)) return;
  throw new ShapeError(`${op}: the bias must be [${filters}], but is ${showType(bias)}.`);
}

export interface ConvOptions {
  readonly strides?: readonly number[];
  /** before all axes, then after all */
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly groups?: number;
}

const attributesOf = ({ strides, pads, dilations, groups }: ConvOptions): Attributes => ({
  ...(strides && { strides }),
  ...(pads && { pads }),
  ...(dilations && { dilations }),
  ...(groups === undefined ? {} : { group: groups }),
});

/** Cross-correlation of x [N, C, …] with w [M, C/groups, …]: [N, M, …]. */
export function conv(
  b: Builder,
  x: Value,
  w: Value,
  bias: Value | null = null,
  options: ConvOptions = {},
): Value {
  return b.apply(Conv, [x, w, bias], attributesOf(options));
}

/** The transpose of {@link conv} in x: x [N, C, …] with w [C, M/groups, …]: [N, M, …]. */
export function convTranspose(
  b: Builder,
  x: Value,
  w: Value,
  bias: Value | null = null,
  { outputPadding, ...options }: ConvOptions & { readonly outputPadding?: readonly number[] } = {},
): Value {
  const more = outputPadding === undefined ? {} : { output_padding: outputPadding };
  return b.apply(ConvTranspose, [x, w, bias], { ...attributesOf(options), ...more });
}
