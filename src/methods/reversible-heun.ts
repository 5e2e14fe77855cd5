import { pullback } from "../autodiff/vjp.js";
import { add, mul, neg, sub } from "../ops/arithmetic.js";
import { scaled, sumOf } from "./cotangents.js";
import type { ReversibleMethod } from "./method.js";

/**
 * The reversible Heun method, which carries a second solution ŷ with ŷ0 = y0, and its slope f̂ = f(t, ŷ):
 *
 *   ŷ1 = 2 y0 − ŷ0 + h f̂0,   f̂1 = f(t1, ŷ1),   y1 = y0 + h (f̂0 + f̂1) / 2
 *
 * Order 2. Carrying f̂ costs an array and saves an evaluation: one per step forwards; backwards two, since pulling
 * cotangents through f̂1 needs its evaluation again.
 *
 * Stable on y' = α y only for imaginary α with |α h| ≤ 1, where it neither grows nor decays: with y' = −y, h = 0.1, it
 * gives −2904 at t = 20 where 2e−9 is right.
 *
 * @see Kidger, Foster, Li & Lyons 2021, "Efficient and accurate gradients for neural SDEs", arXiv:2105.13493
 */
export function reversibleHeun(): ReversibleMethod {
  return {
    name: "reversible-heun",
    order: 2,
    coupling: null,
    width: 3,
    companion: 1,
    evaluations: 1,
    backEvaluations: 2,
    start: ({ f }, t0, y0) => [y0, y0, f(t0, y0)],

    step({ b, f }, { t1, h }, [y0, hat0, f0]) {
      const hat1 = add(b, sub(b, mul(b, y0, 2), hat0!), mul(b, h, f0!));
      const f1 = f(t1, hat1);
      return [add(b, y0, mul(b, mul(b, h, 0.5), add(b, f0!, f1))), hat1, f1];
    },

    // ŷ0 = 2 y1 − ŷ1 − h f̂1;   f̂0 = f(t0, ŷ0);   y0 = y1 − h (f̂0 + f̂1) / 2
    undo({ b, f }, { t0, h }, [y1, hat1, f1]) {
      const hat0 = sub(b, sub(b, mul(b, y1, 2), hat1!), mul(b, h, f1!));
      const f0 = f(t0, hat0);
      return [sub(b, y1, mul(b, mul(b, h, 0.5), add(b, f0, f1!))), hat0, f0];
    },

    // with g = f̄̂1 + h ȳ1 / 2:   ŷ̄1 ← ŷ̄1 + [∂y f(t1, ŷ1)]ᵀ g;   θ̄ ← θ̄ + [∂θ f(t1, ŷ1)]ᵀ g
    // ȳ0 = ȳ1 + 2 ŷ̄1;   ŷ̄0 = −ŷ̄1;   f̄̂0 = h ȳ1 / 2 + h ŷ̄1
    back(system, interval, [y1, hat1, f1], [yBar1, hatBar1, slopeBar1]) {
      const { b, f, parameters } = system;
      const { t1, h } = interval;
      const state = this.undo(system, interval, [y1, hat1!, f1!]);
      const fromY = scaled(b, yBar1, mul(b, h, 0.5));
      const g = sumOf(b, [slopeBar1, fromY]);
      const [fromF, ...own] = g ? pullback(b, [f(t1, hat1!)], [g], [hat1!, ...parameters]) : [];
      const hatBar = sumOf(b, [hatBar1, fromF]);
      return {
        state,
        cotangents: [
          sumOf(b, [yBar1, scaled(b, hatBar, 2)]),
          hatBar && neg(b, hatBar),
          sumOf(b, [fromY, scaled(b, hatBar, h)]),
        ],
        parameters: parameters.map((_, i) => own[i] ?? null),
      };
    },

    // h (f̂1 − f̂0) / 2
    error: {
      order: 2,
      evaluations: 0,
      of: ({ b }, { h }, [, , f0], [, , f1]) => mul(b, mul(b, h, 0.5), sub(b, f1!, f0!)),
    },

    // on (y, ŷ), since f̂ = α ŷ
    stepMatrix: [
      [
        [1, 1],
        [0, 0, 1 / 2],
      ],
      [[2], [-1, 1]],
    ],
  };
}
