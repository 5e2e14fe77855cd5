import { RevortError } from "../core/errors.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { sqrt } from "../ops/elementwise.js";
import { range, zerosLike } from "../ops/generate.js";
import { greaterOrEqual, where } from "../ops/logic.js";
import { derivedKeys, randomNormal } from "../ops/random.js";
import { cast, rounded, unsqueeze } from "../ops/reshape.js";
import type { Calculus } from "./sde.js";

// Brownian motion that is computed where it is needed, from keys. Nothing of it is stored: the way back has the same bits.

/** A Brownian motion asked for where it is not, or keys that do not fit the paths. */
export class BrownianError extends RevortError {}

/** A step that an increment is wanted for. */
export interface NoiseStep {
  /** which step of the solve it is, from 0; an int64 scalar */
  readonly i: Value;
  /** times, scalars */
  readonly t0: Value;
  readonly t1: Value;
  readonly h: Value;
  /** of the paths, odd int64 [batch, 1] */
  readonly keys: Value;
  /** m */
  readonly motions: number;
  readonly dtype: FloatDType;
}

/** Where the noise of a solve comes from. */
export interface BrownianMotion {
  readonly name: string;
  /** W(t1) − W(t0), [batch, m] */
  readonly increment: (b: Builder, step: NoiseStep) => Value;
  /**
   * @param times  where steps of a solve begin and end
   * @param calculus  that of its equations
   * @throws {BrownianError} for times where there is no such motion, and steps that see it otherwise than their calculus does
   */
  readonly check: (times: readonly number[], calculus: Calculus) => void;
}

/** Standard normal numbers [batch, m] that belong to a place n, for each path. @param n  an int64 scalar */
function normals(b: Builder, { keys, motions, dtype }: NoiseStep, n: Value): Value {
  const own = tensor(
    "int64",
    [1, motions],
    Array.from({ length: motions }, (_, j) => 2 * j),
  );
  const counters = add(b, mul(b, n, b.scalar("int64", 2 * motions)), b.constant(own));
  return randomNormal(b, keys, counters, 1, dtype);
}

/**
 * Independent increments of the steps of a solve, ΔWᵢ = √hᵢ ξ(key, i). Other steps are another path: where one path is to
 * be seen at several step sizes, take a {@link virtualBrownianTree}.
 */
export function keyedIncrements(): BrownianMotion {
  return {
    name: "keyed increments",
    increment: (b, step) => mul(b, normals(b, step, step.i), sqrt(b, step.h)),
    check: () => {},
  };
}

export interface BrownianTreeOptions {
  /** where it begins, W(t0) = 0, and ends */
  readonly t0: number;
  readonly t1: number;
  /** the distance of times below which W is linear */
  readonly tolerance: number;
}

/**
 * W(t) as a function of key and time, whatever the steps are: [t0, t1] is halved until pieces are no longer than the
 * tolerance, and a midpoint is drawn from the Brownian bridge between its ends,
 *
 *   W((s + u) / 2) = (W(s) + W(u)) / 2 + ½ √(u − s) ξ(key, node),
 *
 * between which W is linear. At t0 + k (t1 − t0) / 2ⁿ its law is exact. Costs log₂((t1 − t0) / tolerance) normal numbers for
 * each time. Steps of Itô within a linear piece would solve the equation of Stratonovich: they end where the law is exact, or
 * are five pieces long.
 *
 * @throws {BrownianError} unless t0 < t1 and the tolerance is positive, and no less than 2⁻⁴⁰ of their distance
 * @see Li et al. 2020, "Scalable gradients for stochastic differential equations"; Jelinčič, Foster & Kidger 2024,
 *   "Single-seed generation of Brownian paths", arXiv:2405.06464
 */
export function virtualBrownianTree({ t0, t1, tolerance }: BrownianTreeOptions): BrownianMotion {
  const length = t1 - t0;
  const levels = Math.max(0, Math.ceil(Math.log2(length / tolerance) - 1e-9));
  if (!(length > 0 && Number.isFinite(length) && tolerance > 0 && levels <= 40)) {
    throw new BrownianError(
      `A Brownian tree goes from t0 to a later t1 in pieces of a tolerance, at most 2⁴⁰ of them, but t0 = ${t0}, ` +
        `t1 = ${t1}, tolerance = ${tolerance} were given.`,
    );
  }
  const at = (b: Builder, step: NoiseStep, t: Value): Value => {
    const end = mul(b, normals(b, step, b.scalar("int64", 0)), Math.sqrt(length));
    const x = div(b, sub(b, t, t0), length);
    const { carried } = loop(
      b,
      {
        trips: levels,
        carried: [
          b.scalar("int64", 1),
          x,
          b.scalar(step.dtype, Math.sqrt(length) / 2),
          zerosLike(b, end),
          end,
        ],
      },
      (inner, _level, [node, place, deviation, left, right]) => {
        const middle = add(
          inner,
          rounded(inner, mul(inner, add(inner, left!, right!), 0.5)),
          rounded(inner, mul(inner, normals(inner, step, node!), deviation!)),
        );
        const isRight = greaterOrEqual(inner, place!, 0.5);
        const child = mul(inner, node!, inner.scalar("int64", 2));
        return {
          carried: [
            add(inner, child, cast(inner, isRight, "int64")),
            sub(inner, rounded(inner, mul(inner, place!, 2)), cast(inner, isRight, step.dtype)),
            mul(inner, deviation!, Math.SQRT1_2),
            where(inner, isRight, middle, left!),
            where(inner, isRight, right!, middle),
          ],
        };
      },
    );
    const [, place, , left, right] = carried as [Value, Value, Value, Value, Value];
    return add(b, left, rounded(b, mul(b, sub(b, right, left), place)));
  };
  return {
    name: `Brownian tree on [${t0}, ${t1}] to ${tolerance}`,
    increment: (b, step) => sub(b, at(b, step, step.t1), at(b, step, step.t0)),
    check(times, calculus) {
      const outside = times.find((t) => t < t0 || t > t1);
      if (outside !== undefined) {
        throw new BrownianError(
          `The Brownian tree is there from ${t0} to ${t1}, but the solve goes to ${outside}. Make it as long as the solve.`,
        );
      }
      const piece = length / 2 ** levels;
      const shortest = times.reduce((least, t, i) => {
        const h = i === 0 ? 0 : t - times[i - 1]!;
        return h > 0 ? Math.min(least, h) : least;
      }, Number.POSITIVE_INFINITY);
      const isNode = (t: number) => {
        const place = (t - t0) / piece;
        return Math.abs(place - Math.round(place)) < 1e-6;
      };
      if (calculus === "stratonovich" || shortest >= (5 - 1e-6) * piece || times.every(isNode)) return;
      throw new BrownianError(
        `The Brownian tree is linear over pieces of ${piece}, but the shortest step of the solve is ${shortest} long: along a ` +
          "line, equations of Itô are solved as those of Stratonovich. Give the tree a tolerance of " +
          `${Number((0.95 * (shortest / 5)).toPrecision(2))} or less.`,
      );
    },
  };
}

/**
 * The keys of the paths of a batch, [batch, 1].
 *
 * @param key  int64: a whole number, of which each path has a key of its own by its place in the batch; or one for each path,
 *   [batch], whose noise then does not depend on what else is in the batch
 * @throws {BrownianError} for keys of another type or number
 */
export function keysOfPaths(b: Builder, key: Value, batch: Value["shape"][number]): Value {
  const isScalar = key.shape.length === 0;
  if (key.dtype !== "int64" || (!isScalar && (key.shape.length !== 1 || key.shape[0] !== batch))) {
    throw new BrownianError(
      `A key is an int64 scalar, or int64 [${batch}] with one for each path, but ${key.dtype} [${key.shape}] was given.`,
    );
  }
  if (!isScalar) return unsqueeze(b, derivedKeys(b, key, b.scalar("int64", 0)), [1]);
  if (typeof batch === "number") return unsqueeze(b, derivedKeys(b, key, range(b, batch)), [1]);
  throw new BrownianError(
    `One key makes those of a known number of paths, but here it is "${batch}". Give a key for each path, [${batch}].`,
  );
}

/**
 * Standard normal numbers [batch, width] that belong to keys of paths, and are independent of the noise of a solve: for where
 * a path starts.
 *
 * @param key  int64 [batch], as a solve takes it
 */
export function startingNoise(b: Builder, key: Value, width: number, dtype: FloatDType): Value {
  const keys = unsqueeze(b, derivedKeys(b, key, b.scalar("int64", 1)), [1]);
  const counters = tensor(
    "int64",
    [1, width],
    Array.from({ length: width }, (_, j) => 2 * j),
  );
  return randomNormal(b, keys, b.constant(counters), 1, dtype);
}
