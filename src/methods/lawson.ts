import type { Value } from "../graph/graph.js";
import { add, mul, neg, sub } from "../ops/arithmetic.js";
import { applied, checkLinearPart, flow, type LinearPart, showRates } from "./linear-part.js";
import {
  type Interval,
  isReversible,
  type Method,
  type ReversibleMethod,
  type State,
  type System,
} from "./method.js";

/**
 * Any method after Lawson's change of variables, which takes a linear part A out of a field. In each step, with s = t − t0,
 *
 *   y' = f(t, y) = A y + g(t, y),   u(s) = e^(−A s) y(t0 + s),   u' = e^(−A s) g(t0 + s, e^(A s) u)
 *
 * The method takes the step of u, and y1 = e^(A h) u1. So A y is solved exactly, however large h A is; what is left to the
 * method is g = f − A y, where it keeps its order. The field is given as it is, so that any A leads to solutions of the same
 * equation; with one near the stiff part of f, steps may be large. Around the coupling of McCallum and Foster this is Rex:
 * y' = A y alone is solved exactly there, and stays stable at every step size.
 *
 * A state is undone through e^(−A h), which magnifies rounding as fast as A damps. What has decayed to nothing beside the rest
 * of a state no arithmetic gives back: over long times states are to be stored on the way, and as undoing is watched, they are.
 *
 * @throws {LinearPartError} for rates that are not finite, or a basis that is not orthonormal
 * @see Lawson 1967, "Generalized Runge–Kutta processes for stable systems with large Lipschitz constants"
 * @see Blasingame & Liu 2025 (Rex), arXiv:2502.08834
 */
export function lawson(method: ReversibleMethod, linear: LinearPart): ReversibleMethod;
export function lawson(method: Method, linear: LinearPart): Method;
export function lawson(method: Method, linear: LinearPart): Method {
  checkLinearPart(linear);
  const { order, coupling, width, companion, evaluations, undoneTo, error } = method;
  const plain: Method = {
    ...{ name: `lawson:${method.name}:${showRates(linear)}`, order, coupling, width, evaluations, linear },
    ...(companion === undefined ? {} : { companion }),
    ...(undoneTo === undefined ? {} : { undoneTo }),
    start(system, t0, y0) {
      const zero = system.b.scalar(t0.dtype, 0);
      const { inner } = stepOf(system, linear, { t0, t1: t0, h: zero });
      return method.start(inner, zero, y0);
    },
    step(system, interval, state) {
      const { inner, within, forth } = stepOf(system, linear, interval);
      return all(method.step(inner, within, state), forth);
    },
    ...(error && {
      error: {
        ...error,
        of(system, interval, before, after) {
          const { inner, within, forth, back } = stepOf(system, linear, interval);
          return forth(error.of(inner, within, before, all(after, back)));
        },
      },
    }),
  };
  return isReversible(method) ? { ...plain, ...undoing(method, linear) } : plain;
}

/** u1 = e^(−A h) y1 is undone as the method does, and ū1 = e^(A h) ȳ1, since A is symmetric. */
function undoing(
  method: ReversibleMethod,
  linear: LinearPart,
): Pick<ReversibleMethod, "backEvaluations" | "undo" | "back"> {
  return {
    backEvaluations: method.backEvaluations,
    undo(system, interval, state) {
      const { inner, within, back } = stepOf(system, linear, interval);
      return method.undo(inner, within, all(state, back));
    },
    back(system, interval, state, cotangents) {
      const { inner, within, forth, back } = stepOf(system, linear, interval);
      const bars = cotangents.map((bar) => bar && forth(bar));
      return method.back(inner, within, all(state, back), bars);
    },
  };
}

/** The equation of u in one step, from s = 0 to s = h, and the ways between u1 and y1. */
function stepOf(system: System, linear: LinearPart, { t0, t1, h }: Interval) {
  const { b, pace } = system;
  /** A counts time, and so does s, but along the chord of a Brownian path */
  const timed = (x: Value) => (pace === undefined ? x : mul(b, x, pace));
  const isZero = (s: Value) => s.constant !== null && Number(s.constant.data[0]) === 0;
  /** the ends are the times themselves, to the bit */
  const timeAt = (s: Value) => (isZero(s) ? t0 : s === h ? t1 : add(b, t0, s));
  // rates are of whole rows
  const { reads: _, ...whole } = system;
  const inner: System = {
    ...whole,
    f(s, u) {
      const y = flow(b, linear, timed(s), u);
      const g = sub(b, system.f(timeAt(s), y), timed(applied(b, linear, y)));
      return flow(b, linear, timed(neg(b, s)), g);
    },
  };
  const within: Interval = { t0: b.scalar(h.dtype, 0), t1: h, h };
  return {
    ...{ inner, within },
    /** e^(A h) x */
    forth: (x: Value) => flow(b, linear, timed(h), x),
    /** e^(−A h) x */
    back: (x: Value) => flow(b, linear, timed(neg(b, h)), x),
  };
}

function all([first, ...rest]: State, map: (x: Value) => Value): State {
  return [map(first), ...rest.map(map)];
}
