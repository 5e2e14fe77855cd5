import { pullback } from "../autodiff/vjp.js";
import { add, mul, neg, sub } from "../ops/arithmetic.js";
import { scaled, sumOf } from "./cotangents.js";
import type { ReversibleMethod } from "./method.js";

/**
 * The leapfrog/midpoint method, a two-step method that starts with a step of Euler's:
 *
 *   y(n+1) = y(n−1) + 2 h f(tₙ, yₙ)
 *
 * It is written as a one-step method with the slope of the last step, v = (yₙ − yₙ₋₁) / h and v0 = f(t0, y0):
 *
 *   v1 = 2 f(t0, y0) − v0,   y1 = y0 + h v1
 *
 * which is the same thing for steps of one size, needs no step size of the past, and is undone exactly for steps of
 * any size. Order 2 as long as neighbouring steps differ in size only here and there; 1 otherwise. One evaluation per
 * step, forwards and backwards.
 *
 * Stable on y' = α y only for imaginary α with |α h| ≤ 1, where it neither grows nor decays. On a decaying problem its
 * second solution, (−1)ⁿ e^(−α t), takes over.
 *
 * @see Shampine 2009, "Stability of the leapfrog/midpoint method"
 */
export function leapfrogMidpoint(): ReversibleMethod {
  return {
    name: "leapfrog-midpoint",
    order: 2,
    coupling: null,
    width: 2,
    evaluations: 1,
    backEvaluations: 1,
    start: ({ f }, t0, y0) => [y0, f(t0, y0)],

    step({ b, f }, { t0, h }, [y0, v0]) {
      const v1 = sub(b, mul(b, f(t0, y0), 2), v0!);
      return [add(b, y0, mul(b, h, v1)), v1];
    },

    // y0 = y1 − h v1;   v0 = 2 f(t0, y0) − v1
    undo({ b, f }, { t0, h }, [y1, v1]) {
      const y0 = sub(b, y1, mul(b, h, v1!));
      return [y0, sub(b, mul(b, f(t0, y0), 2), v1!)];
    },

    // v̄1 ← v̄1 + h ȳ1;   v̄0 = −v̄1;   ȳ0 = ȳ1 + 2 [∂y f(y0)]ᵀ v̄1;   θ̄ ← θ̄ + 2 [∂θ f(y0)]ᵀ v̄1
    back(system, interval, [y1, v1], [yBar1, vBar1]) {
      const { b, f, parameters } = system;
      const [y0, v0] = this.undo(system, interval, [y1, v1!]);
      const vBar = sumOf(b, [vBar1, scaled(b, yBar1, interval.h)]);
      const [fromF, ...own] = vBar
        ? pullback(b, [f(interval.t0, y0)], [mul(b, vBar, 2)], [y0, ...parameters])
        : [];
      return {
        state: [y0, v0!],
        cotangents: [sumOf(b, [yBar1, fromF]), vBar && neg(b, vBar)],
        parameters: parameters.map((_, i) => own[i] ?? null),
      };
    },

    // h (f(t0, y0) − v0): the distance to a step of Euler's method
    error: {
      order: 2,
      evaluations: 0,
      of: ({ b, f }, { t0, h }, [y0, v0]) => mul(b, h, sub(b, f(t0, y0), v0!)),
    },

    // on (y, h v)
    stepMatrix: [
      [[1, 2], [-1]],
      [[0, 2], [-1]],
    ],
  };
}
