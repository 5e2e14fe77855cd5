import type { Builder } from "../graph/builder.js";
import type { Attributes, Op, Value } from "../graph/graph.js";
import { attributeOf, choice, floats, int, mayTake, takes } from "../graph/signature.js";
import { add } from "./arithmetic.js";
import { reduceSum } from "./broadcast.js";
import { product, productByWindow, transposedProduct } from "./convolution-products.js";
import {
  type ConvSetting,
  cached,
  checkBias,
  convSetting,
  hasFewWindows,
  numbersSeen,
  transposedSetting,
} from "./convolution-setting.js";
import { composedOf } from "./folding.js";
import { required } from "./operand.js";
import { reshape, transpose } from "./reshape.js";
import { pad } from "./slice.js";
import { pulledApart } from "./transposed-convolution.js";
import { reachBeyond, type Windows } from "./windows.js";

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

/** Few windows are rows of one product, unless its rows are short or it would not stay in the cache. */
function formulaFor(x: Value, setting: ConvSetting): typeof product {
  if (!hasFewWindows(setting)) return product;
  const isShort = setting.groups > 1 || !(Number(x.shape[0]) >= 16);
  return isShort || !(numbersSeen(x, setting) <= cached) ? productByWindow : transposedProduct;
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
    return [formulaFor(x!, setting)(b, x!, w!, bias ?? null, setting)];
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
  const images = groupsApart(b, x, groups);
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

/** x [N, C, …] as [C / groups, groups · N, …]. */
function groupsApart(b: Builder, x: Value, groups: number): Value {
  const [own, ...sizes] = [(x.shape[1] as number) / groups, ...(x.shape.slice(2) as number[])];
  const spatial = sizes.map((_, i) => i + 2);
  if (groups === 1) return transpose(b, x, [1, 0, ...spatial]);
  const split = reshape(b, x, [-1, groups, own, ...sizes]);
  const swapped = transpose(b, split, [2, 1, 0, ...spatial.map((axis) => axis + 1)]);
  return reshape(b, swapped, [own, -1, ...sizes]);
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
  /** convolutions of x with the elements of w that each place of the result sees */
  ...composedOf((b, [x, w, bias], given) => {
    const { windows, groups } = transposedSetting(x!, w!, given);
    const y = pulledApart(b, x!, w!, windows, groups, (seen, part, options) =>
      conv(b, seen, part, null, options),
    );
    return [withBias(b, y, bias)];
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
