import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { reshape, transpose, unsqueeze } from "./reshape.js";
import { flip, pad, slice } from "./slice.js";
import { concat } from "./slicing.js";
import { leading, type Windows } from "./windows.js";

// A transposed convolution adds x[p] w[q] to place s p + d q − a of its result. Places that leave the same remainder by the
// stride s see the same part of w, every s-th element of it, at neighbouring places of x: they are a convolution of x with that
// part, backwards. The results of the remainders lie between one another.

interface Options {
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly groups: number;
}

/**
 * @param windows  over the result, one for each place of x
 * @param conv  a convolution with stride 1
 */
export function pulledApart(
  b: Builder,
  x: Value,
  w: Value,
  windows: Windows,
  groups: number,
  conv: (x: Value, w: Value, options: Options) => Value,
): Value {
  const { input, kernel, before } = windows;
  const { source, strides } = spread(b, x, windows);
  const whole = forConv(b, w, groups);
  const dilations = windows.dilations.map((d, i) => (strides[i] === 1 ? d : 1));
  // along each axis, results from `first` to `first + count` of each remainder
  const first = before.map((n, i) => Math.floor(n / strides[i]!));
  const count = before.map((n, i) => Math.ceil((n + input[i]!) / strides[i]!) - first[i]!);
  const size = source.shape.slice(2) as number[];
  const resultOf = (remainders: readonly number[]): Value => {
    const part = remainders.reduce(
      (sofar, r, i) => (strides[i] === 1 ? sofar : slice(b, sofar, i + 2, r, kernel[i]!, strides[i]!)),
      whole,
    );
    const backwards = remainders.reduce((sofar, _, i) => flip(b, sofar, i + 2), part);
    const reach = dilations.map((d, i) => d * ((part.shape[i + 2] as number) - 1));
    const left = reach.map((n, i) => n - first[i]!);
    const right = count.map((n, i) => n + reach[i]! - size[i]! - left[i]!);
    const cut = (list: readonly number[]) => [0, 0, ...list.map((n) => Math.min(0, n))];
    const isCut = [...left, ...right].some((n) => n < 0);
    const seen = isCut ? pad(b, source, cut(left), cut(right)) : source;
    return conv(seen, backwards, { pads: [...left, ...right].map((n) => Math.max(0, n)), dilations, groups });
  };
  return input.reduce(
    (sofar, length, i) => {
      const start = before[i]! - strides[i]! * first[i]!;
      const isWhole = start === 0 && length === strides[i]! * count[i]!;
      return isWhole ? sofar : slice(b, sofar, i + 2, start, start + length);
    },
    interleaved(b, strides, resultOf),
  );
}

/** x with zeros between its elements along axes where a dilation or a short kernel asks for that, and the strides that are left. */
function spread(
  b: Builder,
  x: Value,
  { strides, dilations, kernel }: Windows,
): { source: Value; strides: number[] } {
  let source = x;
  const left = strides.map((stride, i) => {
    if (stride === 1 || (dilations[i] === 1 && kernel[i]! >= stride)) return stride;
    const axis = i + 2;
    const sizes = source.shape.slice(2) as number[];
    const none = source.shape.map(() => 0);
    const apart = pad(
      b,
      unsqueeze(b, source, [axis + 1]),
      [...none, 0],
      [...none, 0].with(axis + 1, stride - 1),
    );
    const joined = reshape(b, apart, [...leading(x), ...sizes.with(i, sizes[i]! * stride)]);
    source = pad(b, joined, none, none.with(axis, 1 - stride));
    return 1;
  });
  return { source, strides: left };
}

/** w [C, M/g, …] as a Conv from C to M channels takes it, [M, C/g, …]. */
function forConv(b: Builder, w: Value, groups: number): Value {
  const [channels, filters, ...kernel] = w.shape as [number, number, ...number[]];
  const grouped = reshape(b, w, [groups, channels / groups, filters, ...kernel]);
  const swapped = transpose(b, grouped, [0, 2, 1, ...kernel.map((_, i) => i + 3)]);
  return reshape(b, swapped, [groups * filters, channels / groups, ...kernel]);
}

/** The results of all remainders, those of neighbouring ones next to each other along each axis. */
function interleaved(
  b: Builder,
  strides: readonly number[],
  resultOf: (remainders: readonly number[]) => Value,
  chosen: readonly number[] = [],
): Value {
  const i = chosen.length;
  if (i === strides.length) return resultOf(chosen);
  const stride = strides[i]!;
  const parts = Array.from({ length: stride }, (_, r) => interleaved(b, strides, resultOf, [...chosen, r]));
  const [first] = parts as [Value, ...Value[]];
  if (stride === 1) return first;
  const side = concat(
    b,
    parts.map((value) => unsqueeze(b, value, [i + 3])),
    i + 3,
  );
  const sizes = first.shape.slice(2) as number[];
  return reshape(b, side, [...leading(first), ...sizes.with(i, sizes[i]! * stride)]);
}
