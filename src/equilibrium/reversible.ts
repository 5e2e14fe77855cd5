import { OptionError } from "../core/options.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { div, mul, sub } from "../ops/arithmetic.js";
import { checkRelaxation, type FixedPointSolver, mixed } from "./solver.js";

/** A solver of which each step can be undone. */
export interface ReversibleSolver extends FixedPointSolver {
  /** β */
  readonly relaxation: number;
}

/**
 * The relaxed iteration of a pair, y₀ = z₀:
 *
 *   y₁ = (1 − β) y₀ + β f(z₀)            z₀ = (z₁ − β f(y₁)) / (1 − β)
 *   z₁ = (1 − β) z₀ + β f(y₁)   undone:  y₀ = (y₁ − β f(z₀)) / (1 − β)
 *
 * For an L-contraction it converges at the rate |1 − β| + β L where β < 2 / (L + 1). z is the solution.
 *
 * @param options.relaxation  β; 0.5 by default
 * @throws {OptionError} unless 0 < β < 2 and β ≠ 1, where a step forgets what it came from
 * @see McCallum, Arora & Foster 2025, arXiv:2509.12917
 */
export function reversibleIteration({
  relaxation = 0.5,
}: {
  readonly relaxation?: number;
} = {}): ReversibleSolver {
  checkRelaxation("reversibleIteration", relaxation);
  if (relaxation === 1) {
    throw new OptionError(
      "The relaxation β of reversibleIteration must not be 1: y₁ = f(z₀) forgets y₀, so that the step cannot be undone.",
    );
  }
  const β = relaxation;
  return {
    name: "reversible",
    relaxation,
    settings: { relaxation },
    evaluations: 2,
    start: (_, z0) => [z0],
    step(b, f, { z, fz, memory: [y] }) {
      const y1 = mixed(b, β, y!, fz);
      const z1 = mixed(b, β, z, f(b, y1));
      return { z: z1, fz: f(b, z1), memory: [y1] };
    },
  };
}

/** What was mixed with f(…) to x: (x − β f) / (1 − β) */
export function unmixed(b: Builder, β: number, x: Value, value: Value): Value {
  return div(b, sub(b, x, mul(b, value, β)), 1 - β);
}

/** Whether the steps of a solver can be undone. */
export function isReversibleSolver(solver: FixedPointSolver): solver is ReversibleSolver {
  return "relaxation" in solver;
}
