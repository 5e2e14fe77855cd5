import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul } from "../ops/arithmetic.js";
import type { System } from "./method.js";
import type { Tableau } from "./tableaux.js";

/**
 * The increment of an explicit Runge–Kutta method,
 *
 *   Ψ_h(t, y) = h Σᵢ bᵢ kᵢ,   kᵢ = f(t + cᵢ h, y + h Σⱼ aᵢⱼ kⱼ)
 *
 * @param h  signed step size, scalar
 */
export function increment({ b, f }: System, tableau: Tableau, h: Value, t: Value, y: Value): Value {
  const stages: Value[] = [];
  for (const [i, row] of tableau.a.entries()) {
    const shift = combine(b, h, row, stages);
    const ti = tableau.c[i] === 0 ? t : add(b, t, mul(b, h, tableau.c[i]!));
    stages.push(f(ti, shift === null ? y : add(b, y, shift)));
  }
  return combine(b, h, tableau.b, stages)!;
}

/**
 * h Σⱼ wⱼ kⱼ. Equal weights are added up first; `null` if all weights are zero.
 */
function combine(b: Builder, h: Value, weights: readonly number[], stages: readonly Value[]): Value | null {
  let total: Value | null = null;
  for (const weight of new Set(weights)) {
    if (weight === 0) continue;
    const group = stages.filter((_, j) => weights[j] === weight).reduce((sum, k) => add(b, sum, k));
    const term = mul(b, group, mul(b, h, weight));
    total = total === null ? term : add(b, total, term);
  }
  return total;
}
