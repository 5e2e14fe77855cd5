import { sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Attributes, Op, Value } from "../graph/graph.js";
import { attributeOf, choice, floats, int, mayTake, takes } from "../graph/signature.js";
import { add } from "./arithmetic.js";
import { reduceSum } from "./broadcast.js";
import { type ConvSetting, checkBias, convSetting, transposedSetting } from "./convolution-setting.js";
import { composedOf } from "./folding.js";
import { matmul, swapLast } from "./linalg.js";
import { required } from "./operand.js";
import { reshape, transpose } from "./reshape.js";
import { pad } from "./slice.js";
import { pulledApart } from "./transposed-convolution.js";
import { fold, reachBeyond, unfold, type Windows } from "./windows.js";

// Convolutions, y = w ∗ x + b. Their cotangents are convolutions too:
//
//   x̄ = w ∗ᵀ ȳ,   w̄ = x ∗ ȳ with batch and channels swapped, and strides and dilations,   b̄ = Σ ȳ

const attributes = {
  auto_pad: choice(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
  dilations: attributeOf("ints"),
  group: int(1),
  kernel_shape: attributeOf("ints"),
  pads: attributeOf("ints"),
  strides: attributeOf("ints"),
} as const;

function withBias(b: Builder, y: Value, bias: Value | null | undefined): Value {
  if (!bias) return y;
  return add(b, y, reshape(b, bias, [-1, ...y.shape.slice(2).map(() => 1)]));
}

const biasCotangent = (b: Builder, g: Value) =>
  reduceSum(b, g, [0, ...g.shape.slice(2).map((_, i) => i + 2)]);

/** A convolution as a product with what the windows see, [M, C · offsets] by [C · offsets, windows] for each image. */
function product(b: Builder, x: Value, w: Value, setting: ConvSetting): Value {
  const { windows, groups, filters, channels } = setting;
  const count = sizeOf(windows.output);
  const columns = reshape(
    b,
    unfold(b, x, windows),
    typeof channels === "number"
      ? [-1, groups, (channels / groups) * sizeOf(windows.kernel), count]
      : [x.shape[0] as number, groups, -1, count],
  );
  const products = matmul(b, reshape(b, w, [groups, filters / groups, -1]), columns);
  return reshape(b, products, [-1, filters, ...windows.output]);
}

/**
 * A convolution of few windows with large kernels, as the cotangent of weights is one: for each channel the windows of all
 * images are rows of one product, [images · windows, offsets] by [offsets, M], and those of the channels are added up.
 */
function productByChannel(b: Builder, x: Value, w: Value, { windows, groups, filters }: ConvSetting): Value {
  const [images] = x.shape as readonly [number];
  const [offsets, count] = [sizeOf(windows.kernel), sizeOf(windows.output)];
  const byChannel = transpose(b, x, [1, 0, ...windows.input.map((_, i) => i + 2)]);
  const seen = transpose(b, unfold(b, byChannel, windows), [0, 1, 3, 2]);
  const rows = reshape(b, seen, [-1, images * count, offsets]);
  const split = reshape(b, w, [groups, filters / groups, -1, offsets]);
  const columns = reshape(b, transpose(b, split, [0, 2, 3, 1]), [-1, offsets, filters / groups]);
  const products = reshape(b, matmul(b, rows, columns), [groups, -1, images * count, filters / groups]);
  const sums = reshape(b, reduceSum(b, products, [1]), [groups, images, count, filters / groups]);
  return reshape(b, transpose(b, sums, [1, 0, 3, 2]), [images, filters, ...windows.output]);
}

/** x [N, C, …] with w [M, C/group, …] and a bias [M]: [N, M, …]. */
export const Conv: Op = {
  type: "Conv",
  inputs: [takes("X", floats), takes("W", floats), mayTake("B", floats)],
  attributes,
  infer([x, w, bias], given) {
    const { windows, filters } = convSetting(x!, required("Conv", [x!, w!], 1), given);
    checkBias("Conv", bias, filters);
    return [{ dtype: x!.dtype, shape: [x!.shape[0]!, filters, ...windows.output] }];
  },
  ...composedOf((b, [x, w, bias], given) => {
    const setting = convSetting(x!, w!, given);
    const { kernel, output } = setting.windows;
    const isSideways = sizeOf(output) < sizeOf(kernel) && typeof x!.shape[0] === "number";
    return [withBias(b, (isSideways ? productByChannel : product)(b, x!, w!, setting), bias)];
  }),
  vjp(b, { inputs: [x, w, bias], attributes: given }, [g]) {
    const { windows, groups } = convSetting(x!, w!, given);
    const { strides, dilations, before } = windows;
    const beyond = reachBeyond(windows);
    const dx = b.apply(ConvTranspose, [g!, w!], {
      ...{ strides, dilations, group: groups },
      pads: [...before, ...beyond.map((n) => Math.max(0, n))],
      output_padding: beyond.map((n) => Math.max(0, -n)),
    });
    return [dx, weightsCotangent(b, x!, g!, windows, groups), bias ? biasCotangent(b, g!) : null];
  },
};

/**
 * The cotangent of w [M, C/g, …] from what its windows see, x [N, C, …], and the cotangent ȳ [N, M, …] of what it makes of that:
 *
 *   w̄[m, c, q] = Σ_n Σ_p ȳ[n, m, p] x[n, c, s p + d q],
 *
 * a Conv of images c with N channels by filters m, with strides d and dilations s. Groups are groups of channels there too.
 */
function weightsCotangent(b: Builder, x: Value, g: Value, windows: Windows, groups: number): Value {
  const { input, strides, dilations, before } = windows;
  const places = input.map((_, i) => i + 2);
  const channels = (x.shape[1] as number) / groups;
  const split = reshape(b, x, [-1, groups, channels, ...input]);
  const swapped = transpose(b, split, [2, 1, 0, ...places.map((axis) => axis + 1)]);
  const images = reshape(b, swapped, [channels, -1, ...input]);
  // there are no more windows than offsets in the kernel, so what the last one leaves over is cut away
  const beyond = reachBeyond(windows);
  const none = [0, 0, ...input.map(() => 0)];
  const isCut = beyond.some((n) => n < 0);
  const cut = isCut ? pad(b, images, none, [0, 0, ...beyond.map((n) => Math.min(0, n))]) : images;
  const found = b.apply(Conv, [cut, transpose(b, g, [1, 0, ...places])], {
    ...{ strides: dilations, dilations: strides, group: groups },
    pads: [...before, ...beyond.map((n) => Math.max(0, n))],
  });
  return transpose(b, found, [1, 0, ...places]);
}

/** The transpose of a Conv in x: x [N, C, …] with w [C, M/group, …] and a bias [M]: [N, M, …]. */
export const ConvTranspose: Op = {
  type: "ConvTranspose",
  inputs: [takes("X", floats), takes("W", floats), mayTake("B", floats)],
  attributes: { ...attributes, output_padding: attributeOf("ints"), output_shape: attributeOf("ints") },
  infer([x, w, bias], given) {
    const { windows, filters } = transposedSetting(x!, required("ConvTranspose", [x!, w!], 1), given);
    checkBias("ConvTranspose", bias, filters);
    return [{ dtype: x!.dtype, shape: [x!.shape[0]!, filters, ...windows.input] }];
  },
  /** the transpose of the product that a Conv is: what each place of x says to all that its window looks at, added up */
  ...composedOf((b, [x, w, bias], given) => {
    const { windows, groups, channels, filters } = transposedSetting(x!, w!, given);
    const [own, count] = [(channels as number) / groups, sizeOf(windows.output)];
    const said = matmul(
      b,
      swapLast(b, reshape(b, w!, [groups, own, -1])),
      reshape(b, x!, [-1, groups, own, count]),
    );
    const each = reshape(b, said, [-1, filters, sizeOf(windows.kernel), count]);
    return [withBias(b, fold(b, each, windows), bias)];
  }),
  vjp(b, { inputs: [x, w, bias], attributes: given }, [g]) {
    const { windows, groups } = transposedSetting(x!, w!, given);
    const { strides, dilations, before, after, output } = windows;
    const all = conv(b, g!, w!, null, { strides, dilations, groups, pads: [...before, ...after] });
    const more = output.map((n, i) => n - (all.shape[i + 2] as number));
    const none = [0, 0, ...output.map(() => 0)];
    return [
      more.some((n) => n < 0) ? pad(b, all, none, [0, 0, ...more]) : all,
      weightsCotangent(b, g!, x!, windows, groups),
      bias ? biasCotangent(b, g!) : null,
    ];
  },
};

/** What a ConvTranspose is, as convolutions of x with the elements of w that each place of the result sees. */
export function asConvolutions(b: Builder, x: Value, w: Value, bias: Value | null, given: Attributes): Value {
  const { windows, groups } = transposedSetting(x, w, given);
  const y = pulledApart(b, x, w, windows, groups, (seen, part, options) =>
    conv(b, seen, part, null, options),
  );
  return withBias(b, y, bias);
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
