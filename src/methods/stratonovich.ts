import { pullback } from "../autodiff/vjp.js";
import type { Value } from "../graph/graph.js";
import { add, mul, neg, sub } from "../ops/arithmetic.js";
import { scaled, sumOf } from "./cotangents.js";
import { type Interval, isReversible, type Method, type System } from "./method.js";
import { CalculusError, type DrivenStep, everyNoise, type SdeMethod } from "./sde-method.js";

// Methods for equations of Stratonovich. Where the Brownian path goes straight from W(t0) to W(t1), the equation is an
// ordinary one, and its solutions tend to those of Stratonovich as steps get smaller (Wong & Zakai 1965).

/**
 * The equation over a step along the chord of the Brownian path, in s = (t − t0) / h:
 *
 *   dy/ds = h f(t0 + s h, y) + g(t0 + s h, y) ΔW,   s from 0 to 1
 */
function alongChord({ b, t0, t1, h, dW, drift, diffuse, parameters }: DrivenStep): System {
  const timeAt = (s: Value): Value => {
    const known = s.constant === null ? null : Number(s.constant.data[0]);
    // the ends are the times themselves, to the bit
    if (known === 0) return t0;
    return known === 1 ? t1 : add(b, t0, mul(b, s, h));
  };
  return {
    ...{ b, parameters, pace: h },
    f(s, y) {
      const t = timeAt(s);
      return add(b, mul(b, drift(t, y), h), diffuse(t, y, dW));
    },
  };
}

function unitInterval({ b, h }: DrivenStep): Interval {
  const [zero, one] = [b.scalar(h.dtype, 0), b.scalar(h.dtype, 1)];
  return { t0: zero, t1: one, h: one };
}

/** What a method for ordinary equations lacks for those of Stratonovich; `null` where it is one for them. */
export function lackingForStratonovich({ order, coupling, width }: Method): string | null {
  if (order < 2) return "has order 1, and tends to no solution of Stratonovich";
  return width > 1 && coupling === null ? "keeps what belongs to the noise of the step before" : null;
}

/**
 * An explicit Runge–Kutta method, plain or coupled to a second state, for equations of Stratonovich: each step is one of the
 * ordinary equation along the chord of the Brownian path. A coupled one is undone with ΔW found again from its key:
 *
 *   y1 = λ (y0 − z0) + z0 + Ψ(h, ΔW; t0, z0),   z1 = z0 − Ψ(−h, −ΔW; t1, y1)
 *
 * Strong order 1 for noise that commutes (scalar, diagonal with gᵢ of yᵢ alone, additive), else ½.
 *
 * @throws {CalculusError} for a method of order 1, which tends to no solution of Stratonovich, or one that keeps a slope
 * @see Rößler 2006; McCallum & Foster 2024, arXiv:2410.11648
 */
export function stratonovich(method: Method): SdeMethod {
  const { name, coupling, width } = method;
  const lacking = lackingForStratonovich(method);
  if (lacking !== null) {
    throw new CalculusError(
      `The method "${name}" ${lacking}. ` +
        'Take a Runge–Kutta method of order 2 or more ("heun", "midpoint"), plain or coupled, or "reversible-heun"; of ' +
        'order 1, for equations of Itô, there is "euler-maruyama".',
    );
  }
  const plain: SdeMethod = {
    ...{ name, calculus: "stratonovich", noises: everyNoise, strongOrder: 1, coupling },
    ...(method.stepMatrix === undefined ? {} : { stepMatrix: method.stepMatrix }),
    ...(method.undoneTo === undefined ? {} : { undoneTo: method.undoneTo }),
    start: (y0) => (width === 1 ? [y0] : [y0, y0]),
    step: (step, state) => method.step(alongChord(step), unitInterval(step), state),
  };
  if (!isReversible(method)) return plain;
  return {
    ...plain,
    undo: (step, state) => method.undo(alongChord(step), unitInterval(step), state),
    back: (step, state, cotangents) => method.back(alongChord(step), unitInterval(step), state, cotangents),
  };
}

/**
 * Reversible Heun, with a second solution ŷ, ŷ0 = y0, and k(t, y) = f(t, y) h + g(t, y) ΔW of this step:
 *
 *   ŷ1 = 2 y0 − ŷ0 + k(t0, ŷ0),   y1 = y0 + ½ (k(t0, ŷ0) + k(t1, ŷ1))
 *
 * Strong order 1 for additive noise, and where noise commutes; else ½.
 *
 * @see Kidger, Foster, Li & Lyons 2021, "Efficient and accurate gradients for neural SDEs", arXiv:2105.13493
 */
export function reversibleHeunSde(): SdeMethod {
  const slope = (step: DrivenStep) => {
    const { f } = alongChord(step);
    const { t0, t1 } = unitInterval(step);
    return { k0: (y: Value) => f(t0, y), k1: (y: Value) => f(t1, y) };
  };
  return {
    ...{
      name: "reversible-heun",
      calculus: "stratonovich",
      noises: everyNoise,
      strongOrder: 1,
      coupling: null,
    },
    start: (y0) => [y0, y0],

    step(step, [y0, hat0]) {
      const { b } = step;
      const { k0, k1 } = slope(step);
      const first = k0(hat0!);
      const hat1 = add(b, sub(b, mul(b, y0, 2), hat0!), first);
      return [add(b, y0, mul(b, add(b, first, k1(hat1)), 0.5)), hat1];
    },

    // ŷ0 = 2 y1 − ŷ1 − k(t1, ŷ1);   y0 = y1 − ½ (k(t0, ŷ0) + k(t1, ŷ1))
    undo(step, [y1, hat1]) {
      const { b } = step;
      const { k0, k1 } = slope(step);
      const second = k1(hat1!);
      const hat0 = sub(b, sub(b, mul(b, y1, 2), hat1!), second);
      return [sub(b, y1, mul(b, add(b, k0(hat0), second), 0.5)), hat0];
    },

    // ŷ̄1 ← ŷ̄1 + ½ [∂y k(t1, ŷ1)]ᵀ ȳ1;   k̄0 = ½ ȳ1 + ŷ̄1
    // ȳ0 = ȳ1 + 2 ŷ̄1;   ŷ̄0 = −ŷ̄1 + [∂y k(t0, ŷ0)]ᵀ k̄0
    back(step, [y1, hat1], [yBar1, hatBar1]) {
      const { b, parameters } = step;
      const { k0, k1 } = slope(step);
      const [y0, hat0] = this.undo!(step, [y1, hat1!]) as readonly [Value, Value];
      const half = scaled(b, yBar1, 0.5);
      const [fromSecond, ...second] = half ? pullback(b, [k1(hat1!)], [half], [hat1!, ...parameters]) : [];
      const hatBar = sumOf(b, [hatBar1, fromSecond]);
      const slopeBar = sumOf(b, [half, hatBar]);
      const [fromFirst, ...first] = slopeBar
        ? pullback(b, [k0(hat0)], [slopeBar], [hat0, ...parameters])
        : [];
      return {
        state: [y0, hat0],
        cotangents: [
          sumOf(b, [yBar1, scaled(b, hatBar, 2)]),
          sumOf(b, [hatBar && neg(b, hatBar), fromFirst]),
        ],
        parameters: parameters.map((_, i) => sumOf(b, [first[i], second[i]])),
      };
    },
  };
}
