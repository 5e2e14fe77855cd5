import { emptyData, ShapeError, showShape, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Attributes, showType, type Value } from "../graph/graph.js";
import { ConstantOfShape } from "./generate.js";
import { reshape, shapeOf, transpose } from "./reshape.js";
import { scatterND } from "./scatter.js";
import { pad } from "./slice.js";
import { concat, gather } from "./slicing.js";

// What convolutions and poolings have in common: windows that slide over the spatial axes of x [N, C, …]. Along each,
//
//   output p sees input s p + d q − a,   q = 0 … k − 1,
//
// with stride s, dilation d, kernel size k and a zeros (or −∞) put before it.

/** Windows over some axes. */
export interface Windows {
  /** sizes of the input */
  readonly input: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** put before and after each axis */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** how many windows there are along each */
  readonly output: readonly number[];
}

/** The spatial sizes of x [N, C, …]. @throws {ShapeError} unless they are known, and one of N and C */
export function spatialSizes(op: string, x: Value): readonly number[] {
  const sizes = x.shape.slice(2);
  const isKnown = x.shape.slice(0, 2).some((dim) => typeof dim === "number");
  if (sizes.length > 0 && isKnown && sizes.every((dim) => typeof dim === "number")) return sizes as number[];
  throw new ShapeError(
    `${op} takes [batch, channels, …], of which one may be open, and at least one spatial axis of a known size, but was given ${showType(x)}.`,
  );
}

/**
 * The windows that attributes of Conv and of poolings ask for.
 *
 * @throws {ShapeError} for lists of another length than there are axes, or a kernel larger than the padded input
 */
export function windowsOf(
  op: string,
  input: readonly number[],
  kernel: readonly number[],
  attributes: Attributes,
): Windows {
  const rank = input.length;
  const list = (name: string, otherwise: number, length = rank) => {
    const given = attributes[name] as readonly number[] | undefined;
    if (given !== undefined && given.length !== length) {
      throw new ShapeError(
        `${op}: ${name} must have ${length} numbers for ${rank} spatial axes, but is ${showShape(given)}.`,
      );
    }
    const least = name === "pads" ? 0 : 1;
    if (given?.some((value) => value < least)) {
      throw new ShapeError(`${op}: ${name} must be ${least} or more, but is ${showShape(given)}.`);
    }
    return given ?? new Array<number>(length).fill(otherwise);
  };
  if (kernel.length !== rank) {
    throw new ShapeError(
      `${op}: a kernel ${showShape(kernel)} does not fit the spatial axes ${showShape(input)}.`,
    );
  }
  const [strides, dilations, pads] = [list("strides", 1), list("dilations", 1), list("pads", 0, 2 * rank)];
  const reach = kernel.map((k, i) => dilations[i]! * (k - 1) + 1);
  const auto = (attributes.auto_pad as string | undefined) ?? "NOTSET";
  const same = auto === "SAME_UPPER" || auto === "SAME_LOWER";
  const wanted = input.map((size, i) =>
    Math.max(0, (Math.ceil(size / strides[i]!) - 1) * strides[i]! + reach[i]! - size),
  );
  const smaller = wanted.map((total) => Math.floor(total / 2));
  const larger = wanted.map((total, i) => total - smaller[i]!);
  const before = same
    ? auto === "SAME_UPPER"
      ? smaller
      : larger
    : auto === "VALID"
      ? input.map(() => 0)
      : pads.slice(0, rank);
  let after = same
    ? auto === "SAME_UPPER"
      ? larger
      : smaller
    : auto === "VALID"
      ? input.map(() => 0)
      : pads.slice(rank);
  const output = input.map((size, i) => {
    const room = (size + before[i]! + after[i]! - reach[i]!) / strides[i]!;
    let count = (attributes.ceil_mode === 1 ? Math.ceil(room) : Math.floor(room)) + 1;
    // a window that starts in what is put after the input is none
    if (attributes.ceil_mode === 1 && (count - 1) * strides[i]! >= size + before[i]!) count--;
    return count;
  });
  if (output.some((count) => count < 1)) {
    throw new ShapeError(
      `${op}: a kernel that reaches over ${showShape(reach)} does not fit an input of ${showShape(input)} with pads ${showShape([...before, ...after])}.`,
    );
  }
  // rounding up may look past what was put there
  after = after.map((value, i) =>
    Math.max(value, (output[i]! - 1) * strides[i]! + reach[i]! - input[i]! - before[i]!),
  );
  return { input, kernel, strides, dilations, before, after, output };
}

/** x [N, C, …] with what is put around it. */
export function padded(b: Builder, x: Value, windows: Windows, fill = 0): Value {
  const { before, after } = windows;
  return isPadded(windows) ? pad(b, x, [0, 0, ...before], [0, 0, ...after], fill) : x;
}

/** x [N, C, …] as what each window sees: [N, C, offsets in the kernel, windows]. @param fill  what is put around x */
export function unfold(b: Builder, x: Value, windows: Windows, fill = 0): Value {
  const { input, kernel, output } = windows;
  const flat = [...leading(x), sizeOf(paddedSizes(windows))];
  const around = padded(b, x, windows, fill);
  const own = input.length === 1 ? around : reshape(b, around, flat);
  const seen = gather(b, own, placesIn(b, windows), 2);
  return reshape(b, seen, [...leading(x), sizeOf(kernel), sizeOf(output)]);
}

/** The first two dimensions as a reshape takes them: one of them may follow from the others. */
export function leading({ shape: [batch, channels] }: Pick<Value, "shape">): [number, number] {
  return typeof channels === "number" ? [-1, channels] : [batch as number, -1];
}

/** The transpose of {@link unfold}: what all windows say of each place, added up, [N, C, …]. */
export function fold(b: Builder, columns: Value, windows: Windows): Value {
  const { input, before, after, kernel, output } = windows;
  const channels = columns.shape[1] as number;
  const padded = paddedSizes(windows);
  const batch = gather(b, shapeOf(b, columns), b.ints([0]));
  const [places, size] = [sizeOf(kernel) * sizeOf(output), sizeOf(padded)];
  const rows = reshape(b, transpose(b, columns, [2, 3, 0, 1]), [places, -1, channels]);
  const zero = { dtype: columns.dtype, shape: [1], data: emptyData(columns.dtype, 1) } as Tensor;
  const zeros = b.apply(ConstantOfShape, [concat(b, [b.ints([size]), batch, b.ints([channels])], 0)], {
    value: zero,
  });
  const at = reshape(b, placesIn(b, windows), [places, 1]);
  const sums = scatterND(b, zeros, at, rows, "add");
  const whole = reshape(b, transpose(b, sums, [1, 2, 0]), [-1, channels, ...padded]);
  const cut = (list: readonly number[]) => [0, 0, ...list.map((n) => -n)];
  return input.length > 0 && isPadded(windows) ? pad(b, whole, cut(before), cut(after)) : whole;
}

/** For each offset in the kernel and each window, the place in the padded input that it sees: int64 [offsets · windows]. */
function placesIn(b: Builder, windows: Windows): Value {
  const { kernel, output, strides, dilations } = windows;
  const padded = paddedSizes(windows);
  const places: number[] = [];
  for (const q of positions(kernel)) {
    for (const p of positions(output)) {
      places.push(p.reduce((flat, at, i) => flat * padded[i]! + at * strides[i]! + q[i]! * dilations[i]!, 0));
    }
  }
  return b.constant(tensor("int64", [places.length], places));
}

/** How far the last window reaches beyond the input along each axis; less than 0 is what it leaves over. */
export function reachBeyond({ input, kernel, output, strides, dilations, before }: Windows): number[] {
  return output.map(
    (n, i) => strides[i]! * (n - 1) + dilations[i]! * (kernel[i]! - 1) + 1 - before[i]! - input[i]!,
  );
}

/** How many places of the input each window sees; those put around it count, if they are to. */
export function seenBy(
  windows: Windows,
  declared: { readonly before: readonly number[]; readonly after: readonly number[] },
): number[] {
  const { kernel, output, strides, dilations, before, input } = windows;
  return positions(output).map((p) =>
    p.reduce((product, at, i) => {
      const places = Array.from(
        { length: kernel[i]! },
        (_, q) => at * strides[i]! + q * dilations[i]! - before[i]!,
      );
      const inside = places.filter(
        (place) => place >= -declared.before[i]! && place < input[i]! + declared.after[i]!,
      );
      return product * inside.length;
    }, 1),
  );
}

/** All index lists within sizes, the last index fastest. */
export function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (lists, size) => lists.flatMap((list) => Array.from({ length: size }, (_, i) => [...list, i])),
    [[]],
  );
}

/** Sizes with what is put around. */
export function paddedSizes({ input, before, after }: Windows): number[] {
  return input.map((size, i) => size + before[i]! + after[i]!);
}

function isPadded({ before, after }: Windows): boolean {
  return [...before, ...after].some((n) => n > 0);
}
