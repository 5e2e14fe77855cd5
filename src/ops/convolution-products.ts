import { sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Dim, Value } from "../graph/graph.js";
import { add } from "./arithmetic.js";
import type { ConvSetting } from "./convolution-setting.js";
import { gemm, matmul } from "./linalg.js";
import { reshape, transpose } from "./reshape.js";
import { pad, slice } from "./slice.js";
import { concat, gather } from "./slicing.js";
import { positions, type Windows } from "./windows.js";

// Convolutions as products of matrices. What is not summed over goes last, so that what a window sees at one place is a row of
// memory, and not numbers from here and there.

/**
 * One product for all windows of all images, y = X̃ W + b: in a row of X̃ [images · windows, offsets · channels] is what a
 * window sees, and in a column of W a filter.
 */
export function product(
  b: Builder,
  x: Value,
  w: Value,
  bias: Value | null,
  { windows, groups, filters, channels }: ConvSetting,
): Value {
  const images = x.shape[0]!;
  const [own, count, offsets] = [filters / groups, sizeOf(windows.output), sizeOf(windows.kernel)];
  const [rows, inner] = [times(images, count), times(channels, offsets, groups)];
  const shape = [times(images, 1), filters, ...windows.output];
  const spatial = windows.input.map((_, i) => i);
  if (groups === 1) {
    const seen = seenOf(b, transpose(b, x, [0, ...spatial.map((i) => i + 2), 1]), windows);
    // filters stay rows: to turn an array of rank 3 around takes a runtime many times as long as to move one axis
    const byOffset = reshape(b, transpose(b, reshape(b, w, [own, -1, offsets]), [0, 2, 1]), [own, inner]);
    const y = gemm(b, reshape(b, seen, [rows, inner]), byOffset, bias, { transB: 1 });
    return reshape(b, transpose(b, reshape(b, y, [times(images, 1), count, own]), [0, 2, 1]), shape);
  }
  const split = reshape(b, x, [times(images, 1), groups, times(channels, 1, groups), ...windows.input]);
  const apart = transpose(b, split, [1, 0, ...spatial.map((i) => i + 3), 2]);
  const last = reshape(b, apart, [times(images, groups), ...windows.input, times(channels, 1, groups)]);
  const seen = reshape(b, seenOf(b, last, windows), [groups, rows, inner]);
  const byOffset = transpose(b, reshape(b, w, [groups, own, -1, offsets]), [0, 3, 2, 1]);
  const products = matmul(b, seen, reshape(b, byOffset, [groups, inner, own]));
  const y = bias ? add(b, products, reshape(b, bias, [groups, 1, own])) : products;
  const ordered = transpose(b, reshape(b, y, [groups, times(images, 1), count, own]), [1, 0, 3, 2]);
  return reshape(b, ordered, shape);
}

/** What windows see of images with channels last, x [N, …, C]: [N, windows · offsets, C]. Beyond an image there is a row of zeros. */
function seenOf(b: Builder, x: Value, windows: Windows): Value {
  const [images, channels, size] = [x.shape[0]!, x.shape.at(-1)!, sizeOf(windows.input)];
  const flat = reshape(b, x, [times(images, 1), size, times(channels, 1)]);
  const places = placesSeen(windows).flat();
  const isWithin = places.every((place) => place !== null);
  const rows = isWithin ? flat : pad(b, flat, [0, 0, 0], [0, 1, 0]);
  return gather(b, rows, b.ints(places.map((place) => place ?? size)), 1);
}

/**
 * The same sums for few windows of many places, as the cotangent of weights has them: with images last, in a row of X̃
 * [channels · places, windows · images] is what the windows see there, and yᵀ = Wᵀ X̃. Where x was an operand of
 * a convolution whose weights these are the cotangent of, X̃ is what that multiplied.
 */
export function transposedProduct(
  b: Builder,
  x: Value,
  w: Value,
  bias: Value | null,
  { windows, filters, channels }: ConvSetting,
): Value {
  const { input, kernel, strides, dilations, output } = windows;
  const [images, rows] = [times(x.shape[0]!, 1), times(channels, sizeOf(kernel))];
  const spatial = input.map((_, i) => i + 2);
  const swapped = { ...windows, kernel: output, output: kernel, strides: dilations, dilations: strides };
  const seen = reshape(b, seenOf(b, transpose(b, x, [1, ...spatial, 0]), swapped), [rows, -1]);
  const columns = reshape(b, transpose(b, w, [1, ...spatial, 0]), [rows, filters]);
  const products = gemm(b, columns, seen, null, { transA: 1 });
  const y = transpose(b, reshape(b, products, [filters, sizeOf(output), images]), [2, 0, 1]);
  const whole = bias ? add(b, y, reshape(b, bias, [filters, 1])) : y;
  return reshape(b, whole, [images, filters, ...output]);
}

/**
 * A product for each window, [M, channels · offsets] by [channels · offsets, images]: for few windows of many places, as the
 * cotangent of weights has them. Each sees most of x, and takes a slice of it.
 */
export function productByWindow(
  b: Builder,
  x: Value,
  w: Value,
  bias: Value | null,
  { windows, groups, filters, channels }: ConvSetting,
): Value {
  const { input, kernel, strides, dilations, output } = windows;
  const images = times(x.shape[0]!, 1);
  const inner = times(channels, sizeOf(kernel), groups);
  const by = groups === 1 ? [] : [groups];
  const weights = reshape(b, w, [...by, filters / groups, inner]);
  const last = surrounded(b, transpose(b, x, [1, ...input.map((_, i) => i + 2), 0]), windows);
  const products = positions(output).map((window) => {
    const seen = window.reduce((sofar, at, i) => {
      const start = at * strides[i]!;
      return slice(b, sofar, i + 1, start, start + dilations[i]! * (kernel[i]! - 1) + 1, dilations[i]!);
    }, last);
    const y = matmul(b, weights, reshape(b, seen, [...by, inner, images]));
    return reshape(b, y, [1, filters, images]);
  });
  const y = transpose(b, concat(b, products, 0), [2, 1, 0]);
  const whole = bias ? add(b, y, reshape(b, bias, [filters, 1])) : y;
  return reshape(b, whole, [images, filters, ...output]);
}

/** The places of an image that each window sees, one for each offset in the kernel; `null` for those beyond it. */
function placesSeen({ input, kernel, output, strides, dilations, before }: Windows): (number | null)[][] {
  const offsets = positions(kernel);
  const along = (p: number, q: number, i: number) => p * strides[i]! + q * dilations[i]! - before[i]!;
  return positions(output).map((p) =>
    offsets.map((q) => {
      const place = p.map((at, i) => along(at, q[i]!, i));
      const isWithin = place.every((at, i) => at >= 0 && at < input[i]!);
      return isWithin ? place.reduce((flat, at, i) => flat * input[i]! + at, 0) : null;
    }),
  );
}

/** x with zeros around its spatial axes, all but the first and the last. */
function surrounded(b: Builder, x: Value, { before, after }: Windows): Value {
  if ([...before, ...after].every((n) => n === 0)) return x;
  return pad(b, x, [0, ...before, 0], [0, ...after, 0]);
}

/** A multiple of a dimension, or a part of it, as a reshape takes it: what is not known follows from the others. */
function times(dim: Dim, factor: number, parts = 1): number {
  // the product first: 49 · (1 / 49) is not 1
  return typeof dim === "number" ? (dim * factor) / parts : -1;
}
