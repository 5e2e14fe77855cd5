import { ShapeError, showShape, sizeOf } from "../core/tensor.js";
import { productOf, quotientOf } from "../graph/dimension.js";
import { type Attributes, type Dim, showType, type Value } from "../graph/graph.js";
import { intOf } from "./operand.js";
import { spatialSizes, type Windows, windowsOf } from "./windows.js";

// What convolutions are of, from their operands and attributes.

/** What a convolution is of: x [N, C, …], w [M, C / groups, …]. */
export interface ConvSetting {
  readonly windows: Windows;
  readonly groups: number;
  /** channels in, which may follow from the batch where a Conv has them in its place, and out */
  readonly channels: Dim;
  readonly filters: number;
}

/** Of more windows a product for each takes longer than one for all, and makes a graph of hundreds of nodes. */
const few = 64;

/** Whether there are few windows, fewer than places that each of them sees, as in the cotangent of weights. */
export function hasFewWindows({ windows: { kernel, output } }: ConvSetting): boolean {
  return sizeOf(output) <= few && sizeOf(output) < sizeOf(kernel);
}

/** How many numbers all windows of all images see, each as often as it is seen; NaN where the batch is open. */
export function numbersSeen(x: Value, { windows: { kernel, output }, channels }: ConvSetting): number {
  return Number(x.shape[0]) * Number(channels) * sizeOf(kernel) * sizeOf(output);
}

/** Up to so many of them, 16 MB in float32, a processor's cache holds what is written once and read soon. */
export const cached = 1 << 22;

/** What a Conv is of. @throws {ShapeError} for weights that do not fit */
export function convSetting(x: Value, w: Value, given: Attributes): ConvSetting {
  const { input, kernel, groups } = sizesOf("Conv", x, w, given);
  const [filters, second] = w.shape as readonly [number, Dim];
  const channels = x.shape[1]!;
  const isWhole = quotientOf([channels], [groups]) !== null && filters % groups === 0;
  if (!isWhole || productOf([second, groups]) !== channels) throw misfit("Conv", x, w, given);
  return { windows: windowsOf("Conv", input, kernel, given), groups, channels, filters };
}

/** What a ConvTranspose is of; its windows lie over its result. @throws {ShapeError} for weights that do not fit */
export function transposedSetting(x: Value, w: Value, given: Attributes): ConvSetting {
  const { input, kernel, groups } = sizesOf("ConvTranspose", x, w, given);
  const [channels, second] = w.shape as readonly [number, number];
  if (x.shape[1] !== channels || typeof second !== "number" || channels % groups !== 0)
    throw misfit("ConvTranspose", x, w, given);
  return { windows: transposedWindows(input, kernel, given), groups, channels, filters: second * groups };
}

function sizesOf(op: string, x: Value, w: Value, given: Attributes) {
  const input = spatialSizes(op, x);
  const kernel = w.shape.slice(2);
  const groups = intOf(given, "group", 1);
  const declared = given.kernel_shape as readonly number[] | undefined;
  const isKnown = typeof w.shape[0] === "number" && kernel.every((dim) => typeof dim === "number");
  const isDeclared = declared === undefined || declared.join() === kernel.join();
  if (w.shape.length !== x.shape.length || !isKnown || !isDeclared || groups < 1)
    throw misfit(op, x, w, given);
  return { input, kernel: kernel as number[], groups };
}

function misfit(op: string, x: Value, w: Value, given: Attributes): ShapeError {
  const groups = intOf(given, "group", 1);
  const declared = given.kernel_shape as readonly number[] | undefined;
  return new ShapeError(
    `${op}: weights ${showType(w)}${declared === undefined ? "" : ` with kernel_shape ${showShape(declared)}`} do not fit ` +
      `${showType(x)} in ${groups} ${groups === 1 ? "group" : "groups"}.`,
  );
}

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

export function checkBias(op: string, bias: Value | null | undefined, filters: number): void {
  if (!bias || (bias.shape.length === 1 && bias.shape[0] === filters)) return;
  throw new ShapeError(`${op}: the bias must be [${filters}], but is ${showType(bias)}.`);
}
