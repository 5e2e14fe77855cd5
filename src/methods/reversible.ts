import { pullback } from "../autodiff/vjp.js";
import { RevortError } from "../core/errors.js";
import { checkOptions, OptionError, showValue } from "../core/options.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, neg, sub } from "../ops/arithmetic.js";
import { sumOf } from "./cotangents.js";
import { embeddedError, increment } from "./increment.js";
import type { ReversibleMethod, System } from "./method.js";
import { coupledMatrix } from "./stability.js";
import type { Tableau } from "./tableaux.js";

/** A coupling parameter outside (0, 1]. */
export class CouplingError extends RevortError {
  constructor(coupling: number) {
    super(
      `The coupling λ must lie in (0, 1], but ${coupling} was given. ` +
        "0.999 is the usual choice; smaller values damp more and lose the reconstruction sooner.",
    );
  }
}

export interface Coupling {
  /** λ in (0, 1] */
  readonly coupling?: number;
}

/**
 * Any explicit method, made algebraically reversible by coupling the state y to a second one, z, with z0 = y0:
 *
 *   y1 = λ (y0 − z0) + (z0 + Ψ_h(t0, z0))
 *   z1 = z0 − Ψ₋ₕ(t1, y1)
 *
 * It has the order of the method it is made of and takes two of its steps.
 *
 * The first line is associated as written, and undone likewise: z0 + Ψ is then the same number both ways, so that
 * subtracting it is exact and rounding mostly brings y0 back to the bit. As λ y0 + (1 − λ) z0 + Ψ, or undone as
 * (y1 − z0) − Ψ, it is the same on paper and loses the reconstruction in float32.
 *
 * @throws {CouplingError} unless 0 < λ ≤ 1
 * @throws {OptionError} for what is no tableau, or an option that there is not
 * @see McCallum & Foster 2024, "Efficient, Accurate and Stable Gradients for Neural ODEs", arXiv:2410.11648
 */
export function reversible(tableau: Tableau, options: Coupling = {}): ReversibleMethod {
  checkOptions("reversible", options, { coupling: true }, { lambda: "λ is coupling", l: "λ is coupling" });
  const { coupling: lambda = 0.999 } = options;
  if (typeof tableau !== "object" || tableau === null || !("b" in tableau)) {
    throw new OptionError(
      `reversible couples a tableau, reversible(midpoint), but ${showValue(tableau)} was given. ` +
        'For a name there is methodNamed("midpoint", { reversible: true }).',
    );
  }
  if (!(lambda > 0 && lambda <= 1)) throw new CouplingError(lambda);
  const { error } = tableau;
  const psi = (system: System, h: Value, t: Value, y: Value) => increment(system, tableau, h, t, y);

  return {
    name: tableau.name,
    order: tableau.order,
    coupling: lambda,
    tableau,
    width: 2,
    companion: 1,
    evaluations: 2 * tableau.b.length,
    backEvaluations: 2 * tableau.b.length,
    start: (_system, _t0, y0) => [y0, y0],

    step(system, { t0, t1, h }, [y0, z0]) {
      const { b } = system;
      const y1 = add(b, mul(b, sub(b, y0, z0!), lambda), add(b, z0!, psi(system, h, t0, z0!)));
      const z1 = sub(b, z0!, psi(system, neg(b, h), t1, y1));
      return [y1, z1];
    },

    // z0 = z1 + Ψ₋ₕ(t1, y1);   y0 = z0 + (y1 − (z0 + Ψ_h(t0, z0))) / λ
    undo(system, { t0, t1, h }, [y1, z1]) {
      const { b } = system;
      const z0 = add(b, z1!, psi(system, neg(b, h), t1, y1));
      const y0 = add(b, z0, div(b, sub(b, y1, add(b, z0, psi(system, h, t0, z0))), lambda));
      return [y0, z0];
    },

    // ȳ1 ← ȳ1 − [∂y Ψ₋ₕ(t1, y1)]ᵀ z̄1                     θ̄ ← θ̄ − [∂θ Ψ₋ₕ(t1, y1)]ᵀ z̄1
    // z̄0 = z̄1 + (1 − λ) ȳ1 + [∂z Ψ_h(t0, z0)]ᵀ ȳ1         θ̄ ← θ̄ + [∂θ Ψ_h(t0, z0)]ᵀ ȳ1
    // ȳ0 = λ ȳ1
    //
    // Both Ψ are evaluated where undoing evaluates them, so the graph has each of them once.
    back(system, interval, [y1, z1], [yBar1, zBar1]) {
      const { b, parameters } = system;
      const { t0, t1, h } = interval;
      const [y0, z0] = this.undo(system, interval, [y1, z1!]) as [Value, Value];

      const second = psi(system, neg(b, h), t1, y1);
      const fromZ = zBar1 ? pullback(b, [second], [neg(b, zBar1)], [y1, ...parameters]) : [];
      const yBar = sumOf(b, [yBar1, fromZ[0]]);

      const first = psi(system, h, t0, z0);
      const fromY = yBar ? pullback(b, [first], [yBar], [z0, ...parameters]) : [];
      const leak = yBar && lambda < 1 ? mul(b, yBar, 1 - lambda) : null;
      return {
        state: [y0, z0],
        cotangents: [yBar && mul(b, yBar, lambda), sumOf(b, [zBar1, leak, fromY[0]])],
        parameters: parameters.map((_, i) => sumOf(b, [fromZ[i + 1], fromY[i + 1]])),
      };
    },

    // that of the second half step alone, −Ψ₋ₕ(t1, y1), as published; it does not see y and z drift apart
    ...(error && {
      error: {
        order: error.order,
        evaluations: error.weights.length - tableau.b.length,
        of(system, { t0, t1, h }, _before, [y1]) {
          const { b } = system;
          const back = neg(b, h);
          const y0 = add(b, y1, psi(system, back, t1, y1));
          return embeddedError(system, tableau, { t0: t1, t1: t0, h: back, y0: y1, y1: y0 })!;
        },
      },
    }),
    stepMatrix: coupledMatrix(tableau, lambda),
  };
}
