import { sizeOf, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Attributes, Op, Value } from "../graph/graph.js";
import { attributeOf, choice, flag, floats, takes } from "../graph/signature.js";
import { add, div, mul } from "./arithmetic.js";
import { maximum } from "./extrema.js";
import { composedOf } from "./folding.js";
import { ReduceMax, reduceMax } from "./reduce.js";
import { reshape } from "./reshape.js";
import { slice } from "./slice.js";
import { fold, padded, seenBy, spatialSizes, unfold, type Windows, windowsOf } from "./windows.js";

const attributes = {
  auto_pad: choice(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
  ceil_mode: flag(0, { since: 10 }),
  kernel_shape: attributeOf("ints", { required: true }),
  pads: attributeOf("ints"),
  strides: attributeOf("ints"),
} as const;

function poolOf(op: string, x: Value, given: Attributes): Windows {
  return windowsOf(op, spatialSizes(op, x), given.kernel_shape as readonly number[], given);
}

const inferred =
  (op: string): Op["infer"] =>
  ([x], given) => [{ dtype: x!.dtype, shape: [x!.shape[0]!, x!.shape[1]!, ...poolOf(op, x!, given).output] }];

/** The numbers of what each window sees of x, counted as `count_include_pad` says: [windows]. */
function counts(b: Builder, x: Value, windows: Windows, given: Attributes): Value {
  const none = windows.input.map(() => 0);
  const rank = windows.input.length;
  const pads = (given.pads as readonly number[] | undefined) ?? [...none, ...none];
  const automatic = given.auto_pad !== undefined && given.auto_pad !== "NOTSET";
  const declared = automatic ? windows : { before: pads.slice(0, rank), after: pads.slice(rank) };
  const seen = seenBy(windows, given.count_include_pad === 1 ? declared : { before: none, after: none });
  return b.constant(tensor(x.dtype as "float64", [seen.length], seen));
}

/**
 * What the windows over x [N, C, …] see, put together along one axis after the other: of each offset in the kernel, what all
 * windows see there, which is a slice of x.
 */
function seenTogether(
  b: Builder,
  x: Value,
  windows: Windows,
  fill: number,
  together: (b: Builder, x: Value, y: Value) => Value,
): Value {
  const { kernel, strides, dilations, output } = windows;
  return kernel.reduce(
    (sofar, length, i) => {
      const slices = Array.from({ length }, (_, q) => {
        const first = q * dilations[i]!;
        return slice(b, sofar, i + 2, first, first + strides[i]! * (output[i]! - 1) + 1, strides[i]!);
      });
      return slices.reduce((some, next) => together(b, some, next));
    },
    padded(b, x, windows, fill),
  );
}

/** The mean of what each window of x [N, C, …] sees; what was put around x counts where `count_include_pad` says so. */
export const AveragePool: Op = {
  type: "AveragePool",
  inputs: [takes("X", floats)],
  attributes: { ...attributes, count_include_pad: flag(0), dilations: attributeOf("ints", { since: 19 }) },
  infer: inferred("AveragePool"),
  ...composedOf((b, [x], given) => {
    const windows = poolOf("AveragePool", x!, given);
    const sums = seenTogether(b, x!, windows, 0, add);
    return [div(b, sums, reshape(b, counts(b, x!, windows, given), windows.output))];
  }),
  vjp(b, { inputs: [x], attributes: given }, [g]) {
    const windows = poolOf("AveragePool", x!, given);
    const [c, count] = [x!.shape[1] as number, sizeOf(windows.output)];
    const each = div(b, reshape(b, g!, [-1, c, 1, count]), counts(b, x!, windows, given));
    const ones = b.constant(
      tensor(x!.dtype as "float64", [sizeOf(windows.kernel), 1], new Array(sizeOf(windows.kernel)).fill(1)),
    );
    return [fold(b, mul(b, each, ones), windows)];
  },
};

/** The largest number that each window of x [N, C, …] sees. Ties share the cotangent, as those of ReduceMax do. */
export const MaxPool: Op = {
  type: "MaxPool",
  inputs: [takes("X", floats)],
  outputs: 2,
  attributes: {
    ...attributes,
    storage_order: flag(0, { since: 8 }),
    dilations: attributeOf("ints", { since: 10 }),
  },
  infer: inferred("MaxPool"),
  ...composedOf((b, [x], given) => {
    const windows = poolOf("MaxPool", x!, given);
    return [seenTogether(b, x!, windows, Number.NEGATIVE_INFINITY, maximum)];
  }),
  vjp(b, { inputs: [x], attributes: given }, [g]) {
    const windows = poolOf("MaxPool", x!, given);
    const columns = unfold(b, x!, windows, Number.NEGATIVE_INFINITY);
    const flat = reshape(b, g!, [-1, x!.shape[1] as number, sizeOf(windows.output)]);
    const { node } = reduceMax(b, columns, [2]);
    // of a constant there is nothing to differentiate
    if (node === null) return [null];
    const [seen] = ReduceMax.vjp!(b, node, [flat]);
    return [seen ? fold(b, seen, windows) : null];
  },
};

export interface PoolOptions {
  readonly strides?: readonly number[];
  /** before all axes, then after all */
  readonly pads?: readonly number[];
}

const given = (kernel: readonly number[], { strides, pads }: PoolOptions): Attributes => ({
  kernel_shape: kernel,
  ...(strides && { strides }),
  ...(pads && { pads }),
});

/** The mean of what windows of x [N, C, …] see. */
export function averagePool(
  b: Builder,
  x: Value,
  kernel: readonly number[],
  options: PoolOptions = {},
): Value {
  return b.apply(AveragePool, [x], given(kernel, options));
}

/** The largest number that windows of x [N, C, …] see. */
export function maxPool(b: Builder, x: Value, kernel: readonly number[], options: PoolOptions = {}): Value {
  return b.apply(MaxPool, [x], given(kernel, options));
}
