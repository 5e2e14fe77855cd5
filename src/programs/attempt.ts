import { type Decision, decide, driftTerm, type Memory } from "../control/controller.js";
import { meanSquare, normAxes, rootMeanSquare, scaledNorm, toleranceOf } from "../control/norm.js";
import type { Event } from "../events/event.js";
import type { Values, VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Interval, State, System } from "../methods/method.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { abs, sign, sqrt } from "../ops/elementwise.js";
import { maximum, minimum } from "../ops/extrema.js";
import { and, equal, greater, greaterOrEqual, less, lessOrEqual, not, or, where } from "../ops/logic.js";
import { reduceMax } from "../ops/reduce.js";
import { cast } from "../ops/reshape.js";
import type { Stepping } from "./adaptive-setting.js";
import type { Carry } from "./carry.js";
import { type Clock, leastStep, timeOf } from "./clock.js";
import { insideOf } from "./inputs.js";

/** One attempt at a step. */
export interface Tried {
  readonly interval: Interval;
  readonly after: State;
  readonly accept: Value;
  /** whether it was rejected for good: nothing smaller can be tried */
  readonly failed: Value;
  /** the step size to try next */
  readonly h: Value;
  readonly memory: Memory | null;
  readonly norm: Value | null;
  readonly drift: Value | null;
  readonly size: Value | null;
}

/**
 * Tries a step towards a time, and decides on it. None is proposed that would be smaller than the spacing of t allows:
 * one of that size is tried, and if it is rejected, that is final.
 */
export function tryStep(system: System, setting: Stepping, before: Carry, target: Value): Tried {
  const { b } = system;
  const { method, control, sharing, clock, smallest } = setting;
  const way = sub(b, target, before.t);
  // a step that would end just short of the target is stretched to it
  const cut = greaterOrEqual(b, mul(b, abs(b, before.h), 1.01), abs(b, way));
  const t1 = where(b, cut, target, add(b, before.t, before.h));
  const interval = { t0: before.t, t1, h: sub(b, t1, before.t) };
  const own = duringStep(system, interval);
  const after = method.step(own, interval, before.state);
  const [y0, y1] = [before.state[0], after[0]];
  const zero = reduceSum(b, mul(b, y1, 0), normAxes(y1, sharing), sharing === "sample");
  const finite = equal(b, zero, 0);
  const apart = method.companion === undefined ? null : sub(b, y1, after[method.companion]!);
  const shared = {
    interval,
    after,
    drift: apart && rootMeanSquare(b, apart, sharing),
    size: apart && rootMeanSquare(b, y1, sharing),
  };
  if (control.kind !== "pid") {
    return { ...shared, accept: finite, failed: not(b, finite), h: before.h, memory: null, norm: null };
  }

  const tolerance = toleranceOf(b, y0, y1, setting.tolerances ?? control);
  const error = method.error!.of(own, interval, before.state, after);
  // the tolerance is known before the error is: the division need not be waited for
  const scaled = mul(b, error, div(b, 1, tolerance));
  // NaN where y1 is not finite, so that it is rejected
  const square = add(b, meanSquare(b, scaled, sharing), zero);
  const order = method.error!.order;
  let judged = square;
  if (apart !== null && control.driftTolerance !== Infinity) {
    const drift = driftTerm(b, control, order, method.coupling ?? 1, {
      before: scaledNorm(b, sub(b, y0, before.state[method.companion!]!), tolerance, sharing),
      after: scaledNorm(b, apart, tolerance, sharing),
    });
    judged = maximum(b, square, mul(b, drift, drift));
  }
  const { accept, factor, memory }: Decision = decide(
    b,
    control,
    order,
    { square: judged, cut },
    before.memory!,
  );
  // not |t1 − t0|, which is rounded: what is shortened from that could be rounded up to it again
  const tried = minimum(b, abs(b, before.h), abs(b, way));
  const proposed = mul(b, tried, factor);
  // what was cut short to hit a time was not too long
  const size = where(b, and(b, cut, accept), maximum(b, proposed, abs(b, before.h)), proposed);
  const least = leastStep(b, clock, before.t, smallest);
  const bounded = control.dtmax === Number.POSITIVE_INFINITY ? size : minimum(b, size, control.dtmax);
  const h = mul(b, maximum(b, bounded, least), sign(b, way));
  // a step that is NaN is too small as well
  const failed = not(b, or(b, accept, greater(b, tried, least)));
  return { ...shared, accept, failed, h, memory, norm: sqrt(b, square) };
}

/**
 * The equation by a clock, with f(t, y) known for the beginning of a step, and the number of evaluations it has been
 * asked for.
 */
export function counting(
  b: Builder,
  field: VectorField,
  parameters: Values,
  clock: Clock,
  known?: Pick<Carry, "slope" | "t" | "state">,
): { system: System; evaluations: () => number } {
  const seen = new Set<string>();
  const during = (step?: Interval): System => ({
    b,
    parameters: Object.values(parameters),
    f(t, y) {
      if (known?.slope && t === known.t && y === known.state[0]) return known.slope;
      seen.add(`${t.id},${y.id}`);
      const inside = insideOf(b, field, step);
      return field.apply(b, parameters, timeOf(b, clock, t), y, inside && timeOf(b, clock, inside));
    },
    ...(field.jumps === true && step === undefined ? { during } : {}),
  });
  return { system: during(), evaluations: () => seen.size };
}

/** An equation as a step sees it. */
export function duringStep(system: System, step: Interval): System {
  return system.during?.(step) ?? system;
}

/** Whether a signal passes through zero, in the direction that counts; one that is zero from the start does not. */
export function crosses(b: Builder, { direction }: Event, g0: Value, g1: Value): Value {
  const rising = () => and(b, less(b, g0, 0), greaterOrEqual(b, g1, 0));
  const falling = () => and(b, greater(b, g0, 0), lessOrEqual(b, g1, 0));
  if (direction === undefined) return or(b, rising(), falling());
  return direction === "rising" ? rising() : falling();
}

/** x where c holds, else y, bools as well. */
export function select(b: Builder, c: Value, x: Value, y: Value): Value {
  return x.dtype === "bool" ? or(b, and(b, c, x), and(b, not(b, c), y)) : where(b, c, x, y);
}

/** Whether any element holds, as a scalar. */
export function any(b: Builder, condition: Value): Value {
  if (condition.shape.length === 0) return condition;
  return cast(b, reduceMax(b, cast(b, condition, "float32")), "bool");
}
