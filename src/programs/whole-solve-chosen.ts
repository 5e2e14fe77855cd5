import { ControlError, leastOf, type Pid } from "../control/control.js";
import { memoryOf } from "../control/controller.js";
import { leastNormal } from "../core/spacing.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { abs, sign } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import { and, equal, not, or, where } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import { carriesSlope, type Stepping } from "./adaptive-setting.js";
import { firstStep } from "./adaptive-start.js";
import { counting, tryStep } from "./attempt.js";
import type { Carry } from "./carry.js";
import { clockFor, leastStep } from "./clock.js";
import { loopOver } from "./loop-over.js";
import type { Travel, Underway, WholeSolveInputs, WholeSolveSetting } from "./whole-solve-setting.js";

/**
 * Steps by their estimated error, all of a batch sharing them: attempts up to each time, with the controller carried
 * on from one to the next. A solve gives up where a step is rejected that is as small as the spacing of t allows.
 *
 * @throws {ControlError} for a method without an estimate of its error
 */
export function chosenSteps(
  b: Builder,
  setting: WholeSolveSetting & { readonly control: Pid },
  inputs: WholeSolveInputs,
): Travel<Carry> {
  const { field, method, dtype, control } = setting;
  if (method.error === undefined) {
    throw new ControlError(
      `The method "${method.name}" has no error estimate, so it cannot choose its steps. ` +
        "Use a method with an embedded one (bosh3, dopri5, tsit5, dopri8), or steps of one size.",
    );
  }
  const { parameters, y0, t0, maxSteps, rtol, atol } = inputs;
  const clock = clockFor(field, dtype, {}, t0);
  const stepping: Stepping & { record: "nothing" } = {
    ...{ method, dtype, control, clock },
    // a component that stays 0 may be held against 0, which must not be divided by
    tolerances: { rtol: rtol!, atol: maximum(b, atol!, leastNormal[dtype]) },
    smallest: b.scalar(dtype, leastOf(control, dtype)),
    sharing: "batch",
    record: "nothing",
  };
  const { system } = counting(b, field, parameters, clock);
  const countOf = (scope: Builder, time: Value) => (clock.origin === null ? time : sub(scope, time, t0));
  const start0 = countOf(b, t0);
  const state = method.start(system, start0, y0);
  const way = wayOf(b, inputs);
  const least = leastStep(b, clock, start0, stepping.smallest);
  const first: Carry = {
    state,
    slope: carriesSlope({ ...stepping, field }) ? system.f(start0, y0) : null,
    t: start0,
    h:
      control.dt0 === null
        ? firstStep(system, stepping, control, { t0: start0, y0, way })
        : mul(b, sign(b, way), maximum(b, least, control.dt0)),
    memory: memoryOf(control, (part) => (part === "rejected" ? b.scalar("bool", false) : b.scalar(dtype, 1))),
    signals: [],
  };
  const zero = b.scalar("int64", 0);
  const start: Underway<Carry> = {
    at: first,
    ...{ accepted: zero, rejected: zero },
    failed: b.scalar("bool", false),
  };

  const goTo = (outer: Builder, from: Underway<Carry>, time: Value): Underway<Carry> => {
    const target = countOf(outer, time);
    const before = from.at;
    const left = sub(outer, target, before.t);
    const away = not(outer, equal(outer, left, 0));
    // neither NaN nor infinite
    const sensible = equal(outer, mul(outer, left, 0), 0);
    const goes = and(outer, and(outer, away, sensible), not(outer, from.failed));
    const tried = add(outer, from.accepted, from.rejected!);
    const trips = mul(outer, cast(outer, goes, "int64"), sub(outer, maxSteps, tried));
    const turned = mul(outer, abs(outer, before.h), sign(outer, left));
    const aimed: Carry = { ...before, h: where(outer, goes, turned, before.h) };
    const { accepted, rejected } = from;

    const carried = { at: aimed, accepted, rejected: rejected! };
    const { carried: there } = loopOver(outer, { trips, carried }, (inner, { at, accepted, rejected }) => {
      const known = counting(inner, field, parameters, clock, at);
      const attempt = tryStep(known.system, stepping, at, target);
      const { accept, failed, after, interval, h } = attempt;
      const keep = (x: Value, y: Value) => where(inner, accept, x, y);
      const next: Carry = {
        state: after.map((value, k) => keep(value, at.state[k]!)) as unknown as State,
        slope: at.slope && keep(known.system.f(interval.t1, after[0]), at.slope),
        t: keep(interval.t1, at.t),
        h,
        memory: memoryOf(control, (part) => attempt.memory![part]!),
        signals: [],
      };
      return {
        carried: {
          at: next,
          accepted: add(inner, accepted, cast(inner, accept, "int64")),
          rejected: add(inner, rejected, cast(inner, not(inner, accept), "int64")),
        },
        proceed: not(inner, or(inner, failed, equal(inner, next.t, target))),
      };
    });
    return { ...there, failed: or(outer, from.failed, not(outer, equal(outer, there.at.t, target))) };
  };
  return { start, goTo };
}

/** The way that the first step goes: to t1, or, where that is where it starts, to where the times lie. */
function wayOf(b: Builder, { t0, t1, ts }: WholeSolveInputs): Value {
  return where(b, equal(b, t0, t1), reduceSum(b, sub(b, ts, t0)), sub(b, t1, t0));
}
