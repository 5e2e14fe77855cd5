import { checkOptions, OptionError, showValue } from "../core/options.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { sqrt } from "../ops/elementwise.js";
import { and, greater, isinf, not, where } from "../ops/logic.js";
import { reduceMax } from "../ops/reduce.js";
import { cast, reshape } from "../ops/reshape.js";

/**
 * When an iteration ends: after so many steps, or where
 *
 *   ‖z − f(z)‖ ≤ atol + rtol ‖f(z)‖
 *
 * in the Euclidean norm, of each sample or of the whole batch.
 */
export interface StopRule {
  readonly rtol: number;
  readonly atol: number;
  readonly maxSteps: number;
  /** "sample": each stops by itself, and does not depend on the others; "batch": all together */
  readonly per: "sample" | "batch";
}

const optionNames = {
  ...{ rtol: true, atol: true, maxSteps: true, per: true },
} satisfies Record<keyof StopRule, true>;

/**
 * A stop rule. Without tolerances it is that of the RevDEQ talk, ‖z − f(z)‖ < 1e−3 ‖f(z)‖ + 1e−8; a tolerance that is not
 * given beside the other is 0.
 *
 * @throws {OptionError} for numbers out of range
 */
export function stopRule(options: Partial<StopRule> = {}): StopRule {
  checkOptions("A stop rule", options, optionNames, {
    tol: "say rtol or atol",
    tolerance: "say rtol or atol",
    max_iter: "say maxSteps",
  });
  const none = options.rtol === undefined && options.atol === undefined;
  const { rtol = none ? 1e-3 : 0, atol = none ? 1e-8 : 0, maxSteps = 50, per = "sample" } = options;
  for (const [name, value] of Object.entries({ rtol, atol })) {
    if (typeof value === "number" && value >= 0 && Number.isFinite(value)) continue;
    throw new OptionError(
      `The tolerance ${name} of a stop rule is 0 or more, but ${showValue(value)} was given.`,
    );
  }
  if (!Number.isInteger(maxSteps) || maxSteps < 1) {
    throw new OptionError(
      `maxSteps of a stop rule is a whole number, 1 or more, but ${showValue(maxSteps)} was given.`,
    );
  }
  if (per !== "sample" && per !== "batch") {
    throw new OptionError(`A stop rule is per "sample" or per "batch", but ${showValue(per)} was given.`);
  }
  return { rtol, atol, maxSteps, per };
}

/**
 * The stop rule of the RevDEQ paper's code, ‖z − f(z)‖ / (1e−5 + ‖f(z)‖) ≤ tolerance.
 *
 * @see McCallum, Arora & Foster 2025, arXiv:2509.12917
 */
export function publishedStopRule(tolerance: number, maxSteps: number, per: StopRule["per"] = "batch") {
  return stopRule({ rtol: tolerance, atol: 1e-5 * tolerance, maxSteps, per });
}

/** What a residual is compared with: rtol, or atol where that is 0. */
export function toleranceOf({ rtol, atol }: StopRule): number {
  return rtol > 0 ? rtol : atol;
}

/** Added to ‖f(z)‖ where a rule has no absolute tolerance: f(z) may be 0, and so may z be. */
const least = 1e-30;

/**
 * How far z is from a fixed point: ‖z − f(z)‖ / (‖f(z)‖ + atol / rtol), or ‖z − f(z)‖ where rtol is 0; of each sample
 * [batch], or of all [1].
 */
export function residualOf(b: Builder, { rtol, atol, per }: StopRule, z: Value, fz: Value): Value {
  const distance = normOf(b, sub(b, z, fz), per);
  return rtol > 0 ? div(b, distance, add(b, normOf(b, fz, per), Math.max(atol / rtol, least))) : distance;
}

/** ‖x‖ of each sample, [batch], or of all, [1] */
export function normOf(b: Builder, x: Value, per: StopRule["per"] = "sample"): Value {
  const own = reduceSum(b, mul(b, x, x), axesFrom(x, 1));
  return sqrt(b, per === "sample" ? own : reduceSum(b, own, [0], true));
}

/** The axes of x from a first one on. */
export function axesFrom(x: Value, first: number): number[] {
  return x.shape.flatMap((_, axis) => (axis < first ? [] : [axis]));
}

/** Whether an iteration goes on: where the residual is finite and beyond the tolerance. */
export function goesOn(b: Builder, stop: StopRule, residual: Value): Value {
  return and(b, greater(b, residual, toleranceOf(stop)), not(b, isinf(b, residual)));
}

/** Whether any of them is true: a bool scalar. */
export function any(b: Builder, flags: Value): Value {
  return greater(b, reduceMax(b, cast(b, flags, "float32")), 0);
}

/** The new value where a flag of the sample (or of the batch) is set, else the old one. */
export function whereSample(b: Builder, flags: Value, next: Value, before: Value): Value {
  const spread = reshape(b, flags, [-1, ...axesFrom(next, 1).map(() => 1)]);
  return where(b, spread, next, before);
}
