import type { Pid } from "../control/control.js";
import { normAxes, scaledNorm, toleranceOf } from "../control/norm.js";
import { signalOf } from "../events/event.js";
import type { Value } from "../graph/graph.js";
import type { State, System } from "../methods/method.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { abs, sign } from "../ops/elementwise.js";
import { maximum, minimum } from "../ops/extrema.js";
import { and, greaterOrEqual, less, where } from "../ops/logic.js";
import { pow } from "../ops/power.js";
import { type AdaptiveSetting, carriesSlope, type Stepping, timeShape } from "./adaptive-setting.js";
import { leastStep, timeOf } from "./clock.js";

/** How a solve begins. */
export interface Start {
  readonly state: State;
  /** f(t0, y0), where it is carried */
  readonly slope: Value | null;
  /** the first step size, signed */
  readonly h: Value;
  /** of the events */
  readonly signals: readonly Value[];
}

/**
 * The first state, f(t0, y0) where it is carried, and the size of the first step.
 *
 * The size is Hairer's: with d0, d1, d2 the scaled norms of y0, f(t0, y0) and the change of f over a step of
 * h0 = d0 / 100 d1,
 *
 *   h = min(100 h0, (0.01 / max(d1, d2))^(1/k))
 *
 * but never less than the spacing of t allows. Where f(t0, y0) is not finite it is NaN, so that the first attempt is the
 * last.
 *
 * @param at.end  the time that the solve goes to
 * @see Hairer, Nørsett & Wanner I, II.4
 */
export function startOf(
  system: System,
  setting: AdaptiveSetting & Stepping,
  { t0, y0, end }: { readonly t0: Value; readonly y0: Value; readonly end: Value },
): Start {
  const { b } = system;
  const { method, control, clock, smallest, events = [] } = setting;
  const way = sub(b, end, t0);
  const given =
    control.kind === "pid"
      ? control.dt0 && maximum(b, leastStep(b, clock, t0, smallest), Math.min(control.dt0, control.dtmax))
      : control.kind === "constant"
        ? control.stepSize
        : unbounded;
  return {
    state: method.start(system, t0, y0),
    slope: carriesSlope(setting) ? system.f(t0, y0) : null,
    h:
      control.kind === "pid" && given === null
        ? firstStep(system, setting, control, { t0, y0, way })
        : mul(b, sign(b, way), given!),
    signals: events.map((event) => signalOf(b, event, timeShape(setting), timeOf(b, clock, t0), y0)),
  };
}

/** of a norm that is known */
const largest = 1e30;

/** A step size that always reaches the next time that must be hit. */
const unbounded = 1e30;

/** The first step, signed, in the direction of `way`. */
export function firstStep(
  system: System,
  { method, sharing, dtype, tolerances, clock, smallest }: Stepping,
  control: Pid,
  { t0, y0, way }: { t0: Value; y0: Value; way: Value },
): Value {
  const { b, f } = system;
  const order = method.error!.order;
  const tolerance = toleranceOf(b, y0, y0, tolerances ?? control);
  const norm = (x: Value) => scaledNorm(b, x, tolerance, sharing);
  const tiny = dtype === "float64" ? 1e-15 : 1e-7;

  const direction = sign(b, way);
  const f0 = f(t0, y0);
  const [d0, d1] = [norm(y0), norm(f0)];
  const [least, most] = [leastStep(b, clock, t0, smallest), minimum(b, abs(b, way), control.dtmax)];
  const large = greaterOrEqual(b, minimum(b, d0, d1), 1e-5);
  // infinite where a tolerance is 0, or where a square of numbers that are large is
  const measured = and(b, large, less(b, maximum(b, d0, d1), largest));
  // the quotient is not taken where it would be 0/0
  const quotient = div(b, mul(b, d0, 0.01), maximum(b, d1, tiny));
  const h0 = maximum(b, minimum(b, where(b, measured, quotient, 1e-6), most), least);
  const signed = mul(b, h0, direction);
  const f1 = f(add(b, t0, signed), add(b, y0, mul(b, signed, f0)));
  const d2 = div(b, norm(sub(b, f1, f0)), maximum(b, h0, tiny));
  const slope = maximum(b, d1, d2);
  const h1 = where(
    b,
    less(b, slope, tiny),
    maximum(b, mul(b, h0, 1e-3), 1e-6),
    pow(b, div(b, 0.01, maximum(b, slope, tiny)), 1 / order),
  );
  // a field that is not finite there says nothing of the step: start with the small one, and let it be rejected
  const known = less(b, slope, largest);
  const size = minimum(b, minimum(b, mul(b, h0, 100), where(b, known, h1, h0)), most);
  const nothing = reduceSum(b, mul(b, f0, 0), normAxes(f0, sharing), sharing === "sample");
  return mul(b, add(b, maximum(b, size, least), nothing), direction);
}
