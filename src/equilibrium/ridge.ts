import { epsilon } from "../core/spacing.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { sqrt } from "../ops/elementwise.js";
import { minimum } from "../ops/extrema.js";
import { zerosLike } from "../ops/generate.js";
import { and, greater, lessOrEqual, not, where } from "../ops/logic.js";
import { reduceMax } from "../ops/reduce.js";
import { unsqueeze } from "../ops/reshape.js";
import { concat, gather } from "../ops/slicing.js";
import { any, whereSample } from "./stop.js";

/** A ridge grows by this factor where a system is singular, … */
const growth = 100;
/** … so often that it comes to outweigh the system. */
const attempts = 10;

/**
 * γ of least ‖g − Rᵀ γ‖² + ridge ‖D γ‖², for each sample, from A = R Rᵀ [batch, m, m] and r = R g [batch, m]:
 *
 *   (D⁻¹ A D⁻¹ + ridge I) D γ = D⁻¹ r,   D² the diagonal of A
 *
 * Where a pivot is lost to rounding, the ridge is multiplied by 100 until none is; where no ridge is enough (A is not
 * finite), γ is 0. A row of zeros has a γ of 0.
 */
export function ridgeSolution(b: Builder, A: Value, r: Value, ridge: number): Value {
  const m = A.shape[2] as number;
  const dtype = A.dtype as FloatDType;
  const identity = b.constant(tensor(dtype, [m, m], unitRows(m).flat()));
  const diagonal = reduceMax(b, mul(b, A, identity), [2]);
  const isZero = lessOrEqual(b, diagonal, 0);
  const scale = div(b, where(b, isZero, zerosLike(b, diagonal), 1), sqrt(b, where(b, isZero, 1, diagonal)));
  const scaled = mul(b, mul(b, A, unsqueeze(b, scale, [1])), unsqueeze(b, scale, [2]));
  const right = unsqueeze(b, mul(b, r, scale), [2]);
  const none = zerosLike(b, r);
  const unsolved = lessOrEqual(b, reduceMax(b, none, [1]), 0);
  const { carried } = loop(
    b,
    { trips: attempts, carried: [b.scalar(dtype, ridge), none, unsolved] },
    (inner, _, [λ, found, due]) => {
      const system = concat(inner, [add(inner, scaled, mul(inner, identity, λ!)), right], 2);
      const { solution, pivot } = eliminated(inner, system, m);
      const isSolved = and(inner, due!, greater(inner, pivot, 4 * m * epsilon[dtype]));
      const still = and(inner, due!, not(inner, isSolved));
      return {
        carried: [
          mul(inner, λ!, growth),
          whereSample(inner, isSolved, mul(inner, solution, scale), found!),
          still,
        ],
        proceed: any(inner, still),
      };
    },
  );
  return carried[1]!;
}

/** Gauss and Jordan's elimination of [A | r], [batch, m, m + 1], in order: A is positive definite. */
function eliminated(b: Builder, system: Value, m: number): { solution: Value; pivot: Value } {
  let [rest, smallest]: [Value, Value | null] = [system, null];
  for (const [j, unit] of unitRows(m).entries()) {
    const row = gather(b, rest, j, 1);
    const pivot = gather(b, row, j, 1);
    smallest = smallest === null ? pivot : minimum(b, smallest, pivot);
    const normed = div(b, row, unsqueeze(b, pivot, [1]));
    const factors = sub(b, gather(b, rest, j, 2), b.constant(tensor(rest.dtype, [m], unit)));
    rest = sub(b, rest, mul(b, unsqueeze(b, factors, [2]), unsqueeze(b, normed, [1])));
  }
  return { solution: gather(b, rest, m, 2), pivot: smallest! };
}

function unitRows(m: number): number[][] {
  return Array.from({ length: m }, (_, i) => Array.from({ length: m }, (_, j) => Number(i === j)));
}
