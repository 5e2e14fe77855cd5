import { checkOptions } from "../core/options.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { mul, neg, sub } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import { where } from "../ops/logic.js";
import { reshape, transpose, unsqueeze } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { concat } from "../ops/slicing.js";
import { checkShape, knotsOf } from "./control-path.js";
import { filledByLast, filledLinearly } from "./filled-in-graph.js";
import { checkInterpolation, type Interpolation } from "./interpolation.js";
import { splineThrough, splineThroughSeen } from "./spline-in-graph.js";

export interface PathCoefficientsOptions {
  /**
   * Whether values may be NaN, which were not observed: other ones in each sample and channel. Every channel of a sample has to
   * have a value, and, for a rectilinear path, one at the first time: coefficients are NaN where it has none.
   */
  readonly missing?: boolean;
}

const optionNames = { missing: true } satisfies Record<keyof PathCoefficientsOptions, true>;

/**
 * The same as `controlPath` in a graph, for values that a model is given or computes: [batch, times, channels] → [batch,
 * intervals, 4 channels]. It is linear in the values that are there, so gradients reach them, and grows with the number of
 * times, as does a file that holds it.
 *
 * @throws {PathError} for times that do not ascend, values of another shape, or a kind of interpolation that there is not
 * @throws {OptionError} for an option that there is not
 */
export function pathCoefficients(
  b: Builder,
  times: readonly number[],
  values: Value,
  interpolation: Interpolation = "hermite",
  options: PathCoefficientsOptions = {},
): { readonly knots: readonly number[]; readonly coefficients: Value } {
  checkOptions("pathCoefficients", options, optionNames, {});
  checkInterpolation(interpolation);
  checkShape(times, values.shape);
  const { missing = false } = options;
  const channels = values.shape.at(-1) as number;
  const knots = knotsOf(times, interpolation);
  const intervals = knots.length - 1;
  // of all samples: [times, batch · channels]
  const series = reshape(b, transpose(b, values, [1, 0, 2]), [times.length, -1]);
  const between = () => (missing ? filledLinearly(b, times, series) : series);
  const powers = {
    linear: () => fromSlopes(b, times, between(), false),
    hermite: () => fromSlopes(b, times, between(), true),
    natural: () => (missing ? splineThroughSeen(b, times, series) : splineThrough(b, times, series)),
    rectilinear: () => byTurns(b, missing ? filledByLast(b, series) : series, channels),
  }[interpolation]();
  const product = concat(
    b,
    powers.map((each) => unsqueeze(b, each, [1])),
    1,
  );
  const together = reshape(b, product, [intervals, 4, -1, channels]);
  const apart = transpose(b, together, [2, 0, 1, 3]);
  return { knots, coefficients: reshape(b, apart, [-1, intervals, 4 * channels]) };
}

/**
 * a, b, c and d of each interval, [intervals, batch · channels], from slopes s between neighbours.
 *
 *   linear:  x_k, s_k, 0, 0        Hermite:  x_k, s_k−1, 2 (s_k − s_k−1) / h, (s_k−1 − s_k) / h²
 */
function fromSlopes(b: Builder, times: readonly number[], series: Value, isHermite: boolean): Value[] {
  const intervals = times.length - 1;
  const perLength = (power: 1 | 2) =>
    b.constant(
      tensor(
        series.dtype as FloatDType,
        [intervals, 1],
        Array.from({ length: intervals }, (_, k) => 1 / (times[k + 1]! - times[k]!) ** power),
      ),
    );
  const x = slice(b, series, 0, 0, intervals);
  const own = mul(b, sub(b, slice(b, series, 0, 1, intervals + 1), x), perLength(1));
  const nothing = zerosLike(b, x);
  if (!isHermite) return [x, own, nothing, nothing];
  const first = slice(b, own, 0, 0, 1);
  const before = intervals === 1 ? own : concat(b, [first, slice(b, own, 0, 0, intervals - 1)], 0);
  const more = sub(b, own, before);
  return [x, before, mul(b, more, mul(b, perLength(1), 2)), neg(b, mul(b, more, perLength(2)))];
}

/**
 * The same for a path that goes along time, channel 0, and then along the other channels, by turns, in intervals of length 1:
 *
 *   time:  t_k, h_k;  t_k+1, 0        others:  x_k, 0;  x_k, x_k+1 − x_k
 */
function byTurns(b: Builder, series: Value, channels: number): Value[] {
  const steps = (series.shape[0] as number) - 1;
  const before = slice(b, series, 0, 0, steps);
  const after = slice(b, series, 0, 1, steps + 1);
  const change = sub(b, after, before);
  const nothing = zerosLike(b, before);
  const isTime = b.constant(
    tensor(
      "bool",
      [channels],
      Array.from({ length: channels }, (_, i) => i === 0),
    ),
  );
  const turns = (ofTime: readonly [Value, Value], ofOthers: readonly [Value, Value]) => {
    const both = [0, 1].map((turn) => {
      const apart = [ofTime[turn]!, ofOthers[turn]!].map((x) => reshape(b, x, [steps, 1, -1, channels]));
      return where(b, isTime, apart[0]!, apart[1]!);
    });
    return reshape(b, concat(b, both, 1), [2 * steps, -1]);
  };
  const a = turns([before, after], [before, before]);
  const none = zerosLike(b, a);
  return [a, turns([change, nothing], [nothing, change]), none, none];
}
