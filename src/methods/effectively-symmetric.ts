import { pullback } from "../autodiff/vjp.js";
import { RevortError } from "../core/errors.js";
import { add, neg } from "../ops/arithmetic.js";
import { sumOf } from "./cotangents.js";
import { explicit } from "./explicit.js";
import { increment } from "./increment.js";
import type { ReversibleMethod } from "./method.js";
import type { Tableau } from "./tableaux.js";

/** A tableau whose steps do not lead back when they are taken with −h. */
export class SymmetryError extends RevortError {
  constructor({ name }: Tableau) {
    super(
      `A step of "${name}" with −h does not undo one with h. Take an effectively symmetric tableau (ees25, ees27), or ` +
        `couple this one to a second state: reversible(${name}).`,
    );
  }
}

/**
 * An explicit and effectively symmetric method, which is undone by a step back:
 *
 *   y1 = y0 + Ψ_h(t0, y0),   y0 ≈ y1 + Ψ₋ₕ(t1, y1)
 *
 * It carries one state, takes no λ, and is as stable as an explicit method is. In return it is undone only to O(h^(m+1))
 * in each step, O(h^m) over a stretch of time, where m is the tableau's antisymmetric order: 5 or 7. So is a gradient by
 * undoing its steps, beside that by stored steps. What comes back is compared with what was there, and states are
 * stored on the way where it is too far off, as wherever steps are undone.
 *
 * @throws {SymmetryError} for a tableau that is not effectively symmetric
 * @see Shmelev & Salvi 2025, "Explicit and effectively symmetric schemes for neural SDEs", arXiv:2509.20599
 */
export function effectivelySymmetric(tableau: Tableau): ReversibleMethod {
  const { antisymmetricOrder } = tableau;
  if (antisymmetricOrder === undefined) throw new SymmetryError(tableau);
  return {
    ...explicit(tableau),
    undoneTo: antisymmetricOrder,
    backEvaluations: 2 * tableau.b.length,

    undo: (system, { t1, h }, [y1]) => [
      add(system.b, y1, increment(system, tableau, neg(system.b, h), t1, y1)),
    ],

    // ȳ0 = ȳ1 + [∂y Ψ_h(t0, y0)]ᵀ ȳ1;   θ̄ ← θ̄ + [∂θ Ψ_h(t0, y0)]ᵀ ȳ1
    back(system, interval, [y1], [yBar1]) {
      const { b, parameters } = system;
      const { t0, h } = interval;
      const [y0] = this.undo(system, interval, [y1]);
      const [fromY, ...own] = yBar1
        ? pullback(b, [increment(system, tableau, h, t0, y0)], [yBar1], [y0, ...parameters])
        : [];
      return {
        state: [y0],
        cotangents: [sumOf(b, [yBar1, fromY])],
        parameters: parameters.map((_, i) => own[i] ?? null),
      };
    },
  };
}
