import { epsilon } from "../core/spacing.js";
import { dependsOnTime } from "../fields/time-dependence.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Interval, State } from "../methods/method.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { abs, ceil } from "../ops/elementwise.js";
import { maximum, minimum } from "../ops/extrema.js";
import { and, equal, greaterOrEqual, lessOrEqual, not, or, where } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import { systemIn } from "./inputs.js";
import { loopOver } from "./loop-over.js";
import type { Travel, Underway, WholeSolveInputs, WholeSolveSetting } from "./whole-solve-setting.js";

/** Where a solve by steps of one size has got to. */
export interface Stepped {
  readonly state: State;
  readonly t: Value;
}

/**
 * Steps of one size: the way from time s to time t is cut into the fewest equal steps of at most `stepSize`,
 *
 *   n = ⌈|t − s| / stepSize⌉,   tₖ = s + (t − s) k / n
 *
 * as `gridThrough` cuts it. Times are reckoned in float64 whatever the states are in. A solve gives up where the field
 * depends on t and steps of `stepSize` are less than the spacing of float numbers near t.
 */
export function equalSteps(
  b: Builder,
  { field, method, dtype }: WholeSolveSetting,
  { parameters, y0, t0, maxSteps, stepSize }: WholeSolveInputs,
): Travel<Stepped> {
  const longest = cast(b, stepSize!, "float64");
  const heeded = dependsOnTime(field, dtype);
  const state = method.start(systemIn(b, field, parameters), t0, y0);
  const start: Underway<Stepped> = {
    at: { state, t: t0 },
    accepted: b.scalar("int64", 0),
    rejected: null,
    failed: not(b, allFinite(b, y0)),
  };
  const goTo = (
    outer: Builder,
    { at, accepted, failed }: Underway<Stepped>,
    target: Value,
  ): Underway<Stepped> => {
    const [from, to] = [cast(outer, at.t, "float64"), cast(outer, target, "float64")];
    const way = sub(outer, to, from);
    const length = abs(outer, way);
    // a stretch that is a whole number of steps up to rounding is one, but no step is much too long for that
    const size = maximum(outer, abs(outer, from), abs(outer, to));
    const slack = minimum(outer, mul(outer, size, rounding), mul(outer, longest, 1 / 8));
    const told = heeded
      ? or(outer, equal(outer, length, 0), greaterOrEqual(outer, longest, mul(outer, size, epsilon[dtype])))
      : outer.scalar("bool", true);
    const cut = dtype === "float64" ? length : sub(outer, length, slack);
    const quotient = div(outer, cut, longest);
    // not a product with 1 − 1e-9: ONNX Runtime (1.30) compares it with 1 in float32, and leaves it out
    const whole = ceil(outer, sub(outer, quotient, mul(outer, quotient, 1e-9)));
    const steps = where(outer, equal(outer, length, 0), 0, maximum(outer, whole, 1));
    const left = cast(outer, sub(outer, maxSteps, accepted), "float64");
    const goes = and(outer, and(outer, not(outer, failed), lessOrEqual(outer, steps, left)), told);
    const count = where(outer, goes, steps, 0);
    const trips = cast(outer, count, "int64");
    const timeAt = (inner: Builder, k: Value) =>
      where(inner, equal(inner, k, count), to, add(inner, from, div(inner, mul(inner, way, k), count)));

    const { carried: after } = loopOver(outer, { trips, carried: at.state }, (inner, before, i) => {
      const k = cast(inner, i, "float64");
      const [s, t] = [timeAt(inner, k), timeAt(inner, add(inner, k, 1))];
      const [begin, end, h] = [s, t, sub(inner, t, s)].map((time) => cast(inner, time, dtype));
      const interval: Interval = { t0: begin!, t1: end!, h: h! };
      return {
        carried: method.step(systemIn(inner, field, parameters, interval), interval, before),
      };
    });
    return {
      at: { state: after, t: target },
      accepted: add(outer, accepted, trips),
      rejected: null,
      failed: or(outer, not(outer, goes), not(outer, allFinite(outer, after[0]))),
    };
  };
  return { start, goTo };
}

/** What the length between two times in float32 may be off by, relative to their size. */
const rounding = 2 ** -22;

/** Whether every element is a finite number. */
function allFinite(b: Builder, x: Value): Value {
  return equal(b, reduceSum(b, mul(b, x, 0)), 0);
}
