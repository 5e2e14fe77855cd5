import { pullback } from "../autodiff/vjp.js";
import { RevortError } from "../core/errors.js";
import { checkOptions } from "../core/options.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { scaled, sumOf } from "./cotangents.js";
import type { Interval, ReversibleMethod, System } from "./method.js";

/** A damping parameter η outside (0, 1], or ½, at which a step cannot be undone. */
export class DampingError extends RevortError {
  constructor(damping: number) {
    super(
      `The damping η must lie in (0, 1] and differ from 1/2, but ${damping} was given. ` +
        "1 is the undamped method, of order 2; smaller values damp, at order 1.",
    );
  }
}

export interface Damping {
  /** η in (0, 1], not ½; 1 is undamped */
  readonly damping?: number;
}

/**
 * The asynchronous leapfrog, which carries a velocity v beside y, with v0 = f(t0, y0):
 *
 *   k = y0 + h v0 / 2,   u = f(t0 + h/2, k),   v1 = v0 + 2 η (u − v0),   y1 = k + h v1 / 2
 *
 * With η = 1, v1 = 2 u − v0. It takes one evaluation per step, forwards and backwards.
 *
 * Its order is 2 for η = 1 and 1 for any other η: v then lags behind f by (1 − η) h f' / (2 η). Undamped, it is stable
 * on y' = α y only for imaginary α with |α h| ≤ 1, where it neither grows nor decays; on decaying problems v
 * oscillates and grows. Undoing divides by 1 − 2 η, which amplifies rounding by 1 / |1 − 2 η| per step.
 *
 * @throws {DampingError} unless 0 < η ≤ 1 and η ≠ ½
 * @see Mutze 2013, "An asynchronous leapfrog method II", arXiv:1311.6602
 * @see Zhuang et al. 2021, "MALI: A memory efficient and reverse accurate integrator for neural ODEs"
 */
export function alf(options: Damping = {}): ReversibleMethod {
  checkOptions("alf", options, { damping: true }, { eta: "η is damping" });
  const { damping: eta = 1 } = options;
  if (!(eta > 0 && eta <= 1) || eta === 0.5) throw new DampingError(eta);
  const keep = 1 - 2 * eta;

  /** The state in the middle, from either end. */
  function middle(
    { b, f }: System,
    { t0, h }: Interval,
    y: Value,
    v: Value,
    direction: 1 | -1,
  ): [Value, Value] {
    const half = mul(b, h, 0.5);
    const shift = mul(b, half, v);
    const k = direction === 1 ? add(b, y, shift) : sub(b, y, shift);
    return [k, f(add(b, t0, half), k)];
  }

  return {
    name: "alf",
    order: eta === 1 ? 2 : 1,
    coupling: null,
    width: 2,
    evaluations: 1,
    backEvaluations: 1,
    start: ({ f }, t0, y0) => [y0, f(t0, y0)],

    step(system, interval, [y0, v0]) {
      const { b } = system;
      const [k, u] = middle(system, interval, y0, v0!, 1);
      const v1 = eta === 1 ? sub(b, mul(b, u, 2), v0!) : add(b, v0!, mul(b, sub(b, u, v0!), 2 * eta));
      return [add(b, k, mul(b, mul(b, interval.h, 0.5), v1)), v1];
    },

    // k = y1 − h v1 / 2;   u = f(t0 + h/2, k);   v0 = (v1 − 2 η u) / (1 − 2 η);   y0 = k − h v0 / 2
    undo(system, interval, [y1, v1]) {
      const { b } = system;
      const [k, u] = middle(system, interval, y1, v1!, -1);
      const v0 = eta === 1 ? sub(b, mul(b, u, 2), v1!) : div(b, sub(b, v1!, mul(b, u, 2 * eta)), keep);
      return [sub(b, k, mul(b, mul(b, interval.h, 0.5), v0)), v0];
    },

    // v̄1 ← v̄1 + h ȳ1 / 2;   k̄ = ȳ1 + 2 η [∂y f(k)]ᵀ v̄1;   θ̄ ← θ̄ + 2 η [∂θ f(k)]ᵀ v̄1
    // v̄0 = (1 − 2 η) v̄1 + h k̄ / 2;   ȳ0 = k̄
    back(system, interval, [y1, v1], [yBar1, vBar1]) {
      const { b, parameters } = system;
      const state = this.undo(system, interval, [y1, v1!]);
      const [k, u] = middle(system, interval, y1, v1!, -1);
      const half = mul(b, interval.h, 0.5);
      const vBar = sumOf(b, [vBar1, scaled(b, yBar1, half)]);
      const [fromU, ...own] = vBar ? pullback(b, [u], [mul(b, vBar, 2 * eta)], [k, ...parameters]) : [];
      const kBar = sumOf(b, [yBar1, fromU]);
      return {
        state,
        cotangents: [kBar, sumOf(b, [scaled(b, vBar, keep), scaled(b, kBar, half)])],
        parameters: parameters.map((_, i) => own[i] ?? null),
      };
    },

    // h (u − v0), which is the distance to a step of Euler's method over η
    error: {
      order: 2,
      evaluations: 0,
      of(system, interval, [y0, v0]) {
        const [, u] = middle(system, interval, y0, v0!, 1);
        return mul(system.b, interval.h, sub(system.b, u, v0!));
      },
    },

    // on (y, h v)
    stepMatrix: [
      [
        [1, eta],
        [1 - eta, eta / 2],
      ],
      [
        [0, 2 * eta],
        [keep, eta],
      ],
    ],
  };
}
