import { largestOf } from "../core/largest.js";
import { checkOptions } from "../core/options.js";
import { epsilon } from "../core/spacing.js";
import { type FloatDType, numbers, showShape, type Tensor, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { clip } from "../ops/extrema.js";
import { less } from "../ops/logic.js";
import { cast, reshape, squeeze, transpose } from "../ops/reshape.js";
import { gather, split } from "../ops/slicing.js";
import {
  type Cubic,
  checkInterpolation,
  filledByLast,
  filledLinearly,
  type Interpolation,
  knownIn,
  naturalThrough,
  PathError,
  through,
} from "./interpolation.js";

/** Control paths X(t) of a batch, cubic between knots. */
export interface ControlPath {
  /** the times between which each polynomial holds */
  readonly knots: readonly number[];
  /** [batch, intervals, 4 channels]: a, b, c and d of X(t) = a + b τ + c τ² + d τ³, τ = t − t_k, each for all channels */
  readonly coefficients: Tensor;
}

export interface ControlPathOptions {
  readonly interpolation?: Interpolation;
  readonly dtype?: FloatDType;
}

const optionNames = { interpolation: true, dtype: true } satisfies Record<keyof ControlPathOptions, true>;

/**
 * The paths through observations at times that all samples share, values [batch, times, channels]; NaN is a value that was not
 * observed. A CDE sees time only as a channel, so give it as one (the first, by custom). Where each sample has times of its
 * own, let them be that channel, and number the observations 0, 1, … for `times`: a CDE does not depend on how its path is
 * run through.
 *
 * A rectilinear path has the knots 0, 1, 2, …, 2 (n − 1) in place of the times: by turns time goes on, which is channel 0,
 * and the values change.
 *
 * @throws {PathError} for times that do not ascend, shapes that do not fit, infinite values, a channel without any value, or a
 *   kind of interpolation that there is not
 * @throws {OptionError} for an option that there is not
 * @see Kidger et al. 2020, "Neural controlled differential equations for irregular time series"
 */
export function controlPath(
  times: readonly number[],
  values: Tensor,
  options: ControlPathOptions = {},
): ControlPath {
  checkOptions("controlPath", options, optionNames, { kind: "it is interpolation" });
  const { interpolation = "hermite", dtype = "float64" } = options;
  checkInterpolation(interpolation);
  const [batch, , channels] = checkValues(times, values);
  const data = numbers(values);
  const knots = knotsOf(times, interpolation);
  const intervals = knots.length - 1;
  const all = new Float64Array(batch * intervals * 4 * channels);
  for (let sample = 0; sample < batch; sample++) {
    for (let channel = 0; channel < channels; channel++) {
      const observed = times.map((_, k) => data[(sample * times.length + k) * channels + channel]!);
      const what = `Channel ${channel} of sample ${sample}`;
      for (const [k, cubic] of cubicsOf(interpolation, times, observed, {
        what,
        isTime: channel === 0,
      }).entries()) {
        for (const [power, value] of cubic.entries()) {
          all[((sample * intervals + k) * 4 + power) * channels + channel] = value;
        }
      }
    }
  }
  return { knots, coefficients: tensor(dtype, [batch, intervals, 4 * channels], all) };
}

export function knotsOf(times: readonly number[], interpolation: Interpolation): readonly number[] {
  if (interpolation !== "rectilinear") return times;
  return Array.from({ length: 2 * times.length - 1 }, (_, k) => k);
}

/** The polynomials of one channel between the knots. @throws {PathError} where too much of it is missing */
function cubicsOf(
  interpolation: Interpolation,
  times: readonly number[],
  observed: readonly number[],
  { what, isTime }: { readonly what: string; readonly isTime: boolean },
): Cubic[] {
  const known = knownIn(observed, what);
  if (interpolation === "natural") return naturalThrough(times, observed, known);
  if (interpolation !== "rectilinear")
    return through[interpolation](times, filledLinearly(times, observed, known));
  const x = filledByLast(observed, known, what);
  // (t₀, x₀), (t₁, x₀), (t₁, x₁), …
  const turns = x.flatMap((value, k) => (k === 0 ? [value] : isTime ? [value, value] : [x[k - 1]!, value]));
  return through.linear(
    turns.map((_, k) => k),
    turns,
  );
}

/**
 * X'(t), [batch, channels]. At a knot it is that of the interval before, as far as there is one; for a step, that of the
 * interval that the step is in.
 *
 * @param coefficients  [batch, intervals, 4 channels]
 * @param inside  a time inside the step that it is for
 */
export function pathDerivative(
  b: Builder,
  knots: readonly number[],
  coefficients: Value,
  t: Value,
  inside?: Value,
): Value {
  const { at, tau } = placeOf(b, knots, t, inside);
  const [, slope, bend, twist] = polynomialsAt(b, coefficients, at);
  // b + 2 τ c + 3 τ² d
  const [first, second] = [mul(b, tau, 2), mul(b, mul(b, tau, tau), 3)];
  return add(b, slope, add(b, mul(b, bend, first), mul(b, twist, second)));
}

/** X(t), [batch, channels]. */
export function pathValue(b: Builder, knots: readonly number[], coefficients: Value, t: Value): Value {
  const { at, tau } = placeOf(b, knots, t);
  return polynomialsAt(b, coefficients, at).reduceRight((sum, power) => add(b, power, mul(b, sum, tau)));
}

/**
 * a, b, c and d of an interval, each [batch, channels]: from an array in which those of one interval lie together, [intervals, 4,
 * batch, channels]. For each sample by itself they are short runs of numbers far apart. That array does not depend on the time,
 * so loops over steps have it before them, and from {@link pathCoefficients} it is there already.
 */
function polynomialsAt(b: Builder, coefficients: Value, at: Value): readonly [Value, Value, Value, Value] {
  const [, intervals, width] = coefficients.shape as readonly [unknown, number, number];
  const apart = reshape(b, coefficients, [-1, intervals, 4, width / 4]);
  const together = transpose(b, apart, [1, 2, 0, 3]);
  const own = split(b, gather(b, together, at), 0, [1, 1, 1, 1]);
  return own.map((power) => squeeze(b, power, [0])) as [Value, Value, Value, Value];
}

/** The interval that t lies in, and how far from its left knot. What is a knot but for rounding lies on the side of `inside`. */
function placeOf(
  b: Builder,
  knots: readonly number[],
  time: Value,
  inside?: Value,
): { at: Value; tau: Value } {
  const t = inside === undefined ? time : towards(b, knots, time, inside);
  // inner knots before t
  const inner = knots.slice(1, -1);
  const at =
    inner.length === 0
      ? b.scalar("int64", 0)
      : reduceSum(b, cast(b, less(b, b.constant(tensor(t.dtype, [inner.length], inner)), t), "int64"), [0]);
  const left = gather(b, b.constant(tensor(t.dtype, [knots.length], knots)), at);
  return { at, tau: sub(b, time, left) };
}

/** t moved towards another time, by some roundings of the knots and no farther than there. */
function towards(b: Builder, knots: readonly number[], t: Value, inside: Value): Value {
  const dtype = t.dtype as FloatDType;
  const spacing = epsilon[dtype] * largestOf(knots.map(Math.abs));
  return add(b, t, clip(b, sub(b, inside, t), -4 * spacing, 4 * spacing));
}

function checkTimes(times: readonly number[]): void {
  const k = times.findIndex((time, i) => !Number.isFinite(time) || (i > 0 && !(time > times[i - 1]!)));
  if (times.length >= 2 && k < 0) return;
  throw new PathError(
    times.length < 2
      ? `A path goes through two times or more, but ${times.length} were given.`
      : `The times of a path ascend, but ${times[k]} comes after ${times[k - 1] ?? "nothing"}. Sort them, and keep one of each.`,
  );
}

function checkValues(times: readonly number[], values: Tensor): [number, number, number] {
  const [batch, count, channels] = checkShape(times, values.shape) as [number, number, number];
  const data = numbers(values);
  const infinite = data.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
  if (infinite < 0) return [batch, count, channels];
  throw new PathError(
    `Channel ${infinite % channels} of sample ${Math.floor(infinite / (count * channels))} is ${data[infinite]} at a time. ` +
      "Let what was not observed be NaN.",
  );
}

/** @throws {PathError} */
export function checkShape(times: readonly number[], shape: Value["shape"]): Value["shape"] {
  checkTimes(times);
  if (shape.length === 3 && shape[1] === times.length) return shape;
  throw new PathError(
    `Values along a path are [batch, ${times.length} times, channels], but ${showShape(shape as readonly number[])} were given.`,
  );
}
