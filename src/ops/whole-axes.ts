import { ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { normaliseAxis, type Op, showType, type Value } from "../graph/graph.js";
import { attributeOf, floats, int, takes } from "../graph/signature.js";
import { add, div, mul, sub } from "./arithmetic.js";
import { sqrt } from "./elementwise.js";
import { range } from "./generate.js";
import { equal, where } from "./logic.js";
import { intOf } from "./operand.js";
import { ArgMax, reduceL1, reduceL2, reduceMax, reduceMean } from "./reduce.js";
import { cast, reshape } from "./reshape.js";
import { written } from "./written.js";

// Functions of all elements along some axes, written as others.

/** Axes from the third on: all places of an image or a signal. */
function places(type: string, x: Value): number[] {
  if (x.shape.length > 2) return x.shape.map((_, axis) => axis).slice(2);
  throw new ShapeError(`${type} needs [batch, channels, ...], but got ${showType(x)}.`);
}

function pool(
  type: string,
  reduce: (b: Builder, x: Value, axes: readonly number[], keepdims: boolean) => Value,
): Op {
  return written({ type, inputs: [takes("X", floats)] }, (b, [x]) => [reduce(b, x!, places(type, x!), true)]);
}

/** The mean, or the largest, over all places of each channel. */
export const GlobalAveragePool: Op = pool("GlobalAveragePool", reduceMean);
export const GlobalMaxPool: Op = pool("GlobalMaxPool", reduceMax);

/** 1 at the first largest element along an axis, 0 elsewhere. */
export const Hardmax: Op = written(
  { type: "Hardmax", inputs: [takes("input", floats)], attributes: { axis: int(-1) } },
  (b, [x], attributes) => {
    const axis = normaliseAxis(intOf(attributes, "axis", -1), x!.shape.length, "Hardmax");
    const length = x!.shape[axis]!;
    if (typeof length !== "number")
      throw new ShapeError(`Hardmax: axis ${axis} of ${showType(x!)} must have a known length.`);
    const along = x!.shape.map((_, i) => (i === axis ? length : 1));
    const best = b.apply(ArgMax, [x!], { axis, keepdims: 1 });
    return [cast(b, equal(b, reshape(b, range(b, length), along), best), x!.dtype)];
  },
);

/** x over its norm along an axis, Σ |x| or √Σ x²; 0 where that is 0. */
export const LpNormalization: Op = written(
  {
    type: "LpNormalization",
    inputs: [takes("input", floats)],
    attributes: { axis: int(-1), p: int(2, { only: [1, 2] }) },
  },
  (b, [x], attributes) => {
    const axis = normaliseAxis(intOf(attributes, "axis", -1), x!.shape.length, "LpNormalization");
    const norm = (attributes.p === 1 ? reduceL1 : reduceL2)(b, x!, [axis], true);
    const isZero = equal(b, norm, 0);
    return [where(b, isZero, 0, div(b, x!, where(b, isZero, 1, norm)))];
  },
);

/** (x − μ) / (σ + 10⁻⁹), with the mean and the deviation over axes, those of batch and places unless given */
export const MeanVarianceNormalization: Op = written(
  {
    type: "MeanVarianceNormalization",
    since: 9,
    inputs: [takes("X", floats)],
    attributes: { axes: attributeOf("ints") },
  },
  (b, [x], attributes) => {
    const axes = (attributes.axes as readonly number[] | undefined) ?? [0, 2, 3];
    const centred = sub(b, x!, reduceMean(b, x!, axes, true));
    const deviation = sqrt(b, reduceMean(b, mul(b, centred, centred), axes, true));
    return [div(b, centred, add(b, deviation, 1e-9))];
  },
);

/** The mean of each channel over all places, [N, C, 1, …]. */
export function globalAveragePool(b: Builder, x: Value): Value {
  return b.apply(GlobalAveragePool, [x]);
}

/** The largest number of each channel, [N, C, 1, …]. */
export function globalMaxPool(b: Builder, x: Value): Value {
  return b.apply(GlobalMaxPool, [x]);
}
