import { pullback } from "../autodiff/vjp.js";
import { leastNormal } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { exp, log } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import { zerosLike } from "../ops/generate.js";
import { greaterOrEqual, where } from "../ops/logic.js";
import { reduceMean } from "../ops/reduce.js";
import { cast, reshape } from "../ops/reshape.js";
import { type Cell, iterationOf } from "./cell.js";
import { axesFrom, normOf } from "./stop.js";

// What J = ∂f/∂z is like at a fixed point: it decides whether an iteration converges, and how fast.

interface At {
  /** what the cell reads beside z */
  readonly given: Values;
  /** the fixed point */
  readonly z: Value;
}

/** Jᵀ v at z, which is held. */
function transposed(b: Builder, cell: Cell, { given, z }: At, v: Value): Value {
  const [pulled] = pullback(b, [iterationOf(cell, given, z)(b, z)], [v], [z]);
  return pulled ?? zerosLike(b, z);
}

/**
 * Hutchinson's estimate of ‖J‖²/d for a state of d components, averaged over the batch: the mean of (Jᵀ ε)², with
 * standard normal ε. Added to a loss, it keeps the cell a contraction; gradients go to θ, x and z.
 *
 * @param options.noise  ε, in the shape of z: `training.normal(b, z.shape)`
 * @see Bai, Koltun & Kolter 2021, "Stabilizing Equilibrium Models by Jacobian Regularization"
 */
export function jacobianPenalty(
  b: Builder,
  cell: Cell,
  { noise, ...at }: At & { readonly noise: Value },
): Value {
  const pulled = transposed(b, cell, at, noise);
  return reduceMean(b, mul(b, pulled, pulled));
}

/**
 * The spectral radius of J for each sample, [batch], by power iteration with Jᵀ: the geometric mean of how much a vector
 * grows per step over the second half of the steps, which comes to |λ| for a pair of complex eigenvalues as well. Below
 * 1, the simple iteration converges near z. It is not to be differentiated.
 *
 * @param options.start  a vector that is not orthogonal to any eigenvector: random numbers in the shape of z
 */
export function jacobianSpectralRadius(
  b: Builder,
  cell: Cell,
  { start, steps = 100, ...at }: At & { readonly start: Value; readonly steps?: number },
): Value {
  const dtype = at.z.dtype as FloatDType;
  const half = Math.floor(steps / 2);
  const spread = (scope: Builder, norm: Value) =>
    reshape(scope, norm, [-1, ...axesFrom(at.z, 1).map(() => 1)]);
  const unit = (scope: Builder, v: Value, norm: Value) => div(scope, v, spread(scope, norm));
  const sizeOf = (scope: Builder, v: Value) => maximum(scope, normOf(scope, v), leastNormal[dtype]);
  const first = unit(b, start, sizeOf(b, start));
  const none = zerosLike(b, normOf(b, start));
  const { carried } = loop(b, { trips: steps, carried: [first, none] }, (inner, k, [v, sum]) => {
    const next = transposed(inner, cell, at, v!);
    const norm = sizeOf(inner, next);
    const counts = greaterOrEqual(inner, cast(inner, k, dtype), half);
    return {
      carried: [unit(inner, next, norm), add(inner, sum!, where(inner, counts, log(inner, norm), 0))],
    };
  });
  return exp(b, mul(b, carried[1]!, 1 / (steps - half)));
}
