import { pullback } from "../autodiff/vjp.js";
import { ShapeError } from "../core/tensor.js";
import type { Value } from "../graph/graph.js";
import { normaliseAxis, showType } from "../graph/graph.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { concat, split } from "../ops/slicing.js";
import { sumOf } from "./cotangents.js";
import type { Interval, ReversibleMethod, System } from "./method.js";

/**
 * The semi-implicit (symplectic) Euler method, for separable systems. The last axis of the state y = [q, p] is cut into
 * halves, and so is the field, f = [f_q, f_p]:
 *
 *   q1 = q0 + h f_q(t0, p0),   p1 = p0 + h f_p(t0, q1)
 *
 * Separable means that f_q does not depend on q, nor f_p on p, as for q' = ∂T/∂p, p' = −∂V/∂q. This is not checked:
 * each half of the field is evaluated with the other half of its argument at the latest value there is. With another
 * field the method converges all the same, but what it undoes, and so its reversible gradient, is wrong in O(h²) per
 * step; the gradient "direct" stays right.
 *
 * Order 1, two evaluations of the whole field per step. It keeps areas of phase space, and the energy up to O(h) for
 * long times; it has no error estimate.
 *
 * @throws {ShapeError} if the last axis of the state is odd
 * @see Hairer, Lubich & Wanner, Geometric Numerical Integration, I.1.2
 */
export function semiImplicitEuler(): ReversibleMethod {
  return {
    name: "semi-implicit-euler",
    order: 1,
    coupling: null,
    width: 1,
    evaluations: 2,
    backEvaluations: 2,
    start(system, _t0, y0) {
      halves(system, y0);
      return [y0];
    },

    step(system, { t0, h }, [y0]) {
      const { b, f } = system;
      const [q0, p0] = halves(system, y0);
      const q1 = add(b, q0, mul(b, h, halves(system, f(t0, y0))[0]));
      const p1 = add(b, p0, mul(b, h, halves(system, f(t0, joined(system, q1, p0)))[1]));
      return [joined(system, q1, p1)];
    },

    undo: (system, interval, [y1]) => [reconstruct(system, interval, y1).y0],

    // q̄1 ← q̄1 + h [∂q f_p(q1)]ᵀ p̄1;   p̄0 = p̄1 + h [∂p f_q(p0)]ᵀ q̄1;   q̄0 = q̄1, and likewise for θ̄
    back(system, interval, [y1], [yBar1]) {
      const { b, parameters } = system;
      const { y0, between, first, second } = reconstruct(system, interval, y1);
      if (!yBar1) return { state: [y0], cotangents: [null], parameters: parameters.map(() => null) };
      const [qBar1, pBar1] = halves(system, yBar1);

      const [fromP, ...ownP] = pullback(b, [second], [mul(b, interval.h, pBar1)], [y1, ...parameters]);
      const qBar = sumOf(b, [qBar1, fromP && halves(system, fromP)[0]])!;

      const [fromQ, ...ownQ] = pullback(b, [first], [mul(b, interval.h, qBar)], [between, ...parameters]);
      const pBar = sumOf(b, [pBar1, fromQ && halves(system, fromQ)[1]])!;
      return {
        state: [y0],
        cotangents: [joined(system, qBar, pBar)],
        parameters: parameters.map((_, i) => sumOf(b, [ownP[i], ownQ[i]])),
      };
    },
  };
}

/** p0 = p1 − h f_p(t0, q1),   q0 = q1 − h f_q(t0, p0), with both evaluations and the state [q1, p0] between them. */
function reconstruct(
  system: System,
  { t0, h }: Interval,
  y1: Value,
): Record<"y0" | "between" | "first" | "second", Value> {
  const { b, f } = system;
  const [q1, p1] = halves(system, y1);
  const second = halves(system, f(t0, y1))[1];
  const p0 = sub(b, p1, mul(b, h, second));
  const between = joined(system, q1, p0);
  const first = halves(system, f(t0, between))[0];
  return { y0: joined(system, sub(b, q1, mul(b, h, first)), p0), between, first, second };
}

/** q and p, the halves of a state's last axis. @throws {ShapeError} if it is odd */
function halves({ b }: System, y: Value): [Value, Value] {
  const size = y.shape.at(-1);
  if (typeof size !== "number" || size % 2 !== 0) {
    throw new ShapeError(
      `The semi-implicit Euler method cuts the last axis of the state into positions and momenta, but ${showType(y)} ` +
        "has no even last axis. Give it a state [q, p], or use another solver.",
    );
  }
  const axis = normaliseAxis(-1, y.shape.length, "Split");
  return split(b, y, axis, [size / 2, size / 2]) as [Value, Value];
}

function joined({ b }: System, q: Value, p: Value): Value {
  return concat(b, [q, p], q.shape.length - 1);
}
