import { type Event, signalOf } from "../events/event.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { abs, sign } from "../ops/elementwise.js";
import { maximum, minimum } from "../ops/extrema.js";
import { and, equal, greater, less, lessOrEqual, not, or, where } from "../ops/logic.js";
import { fmod } from "../ops/power.js";
import { reduceMax } from "../ops/reduce.js";
import { cast } from "../ops/reshape.js";
import { type AdaptiveConstants, clockOf, constantTypes, type Met, recordsOf } from "./adaptive.js";
import { type AdaptiveSetting, timeShape } from "./adaptive-setting.js";
import { any, counting } from "./attempt.js";
import { type Carry, carryTypes } from "./carry.js";
import { timeOf } from "./clock.js";
import { loopOver } from "./loop-over.js";
import { inputType, programOf } from "./program.js";
import { lookAhead } from "./sides.js";

/** Enough to halve an interval to rounding by every third iteration alone. */
const maximalIterations = 180;

/** What the search for an event takes. */
export interface LocateInputs<X> {
  readonly constants: Pick<AdaptiveConstants<X>, "parameters" | "origin">;
  /** where the step starts */
  readonly carry: Located<X>;
  readonly met: Met<X>;
  /** how closely the time of an event is wanted */
  readonly tolerance: X;
}

/** What of the carried values an event changes: step sizes go on as they were. */
export type Located<X> = Pick<Carry<X>, "state" | "slope" | "t" | "signals">;

/** What it gives. */
export interface LocateResults<X> {
  /** at the event */
  readonly next: Located<X>;
  readonly report: LocateReport<X>;
}

/** What is told of a search. */
export interface LocateReport<X> {
  /** which events happen there */
  readonly crossed: readonly X[];
  readonly records: readonly X[];
  /** steps taken in order to find it */
  readonly iterations: X;
  /** how closely its time is known */
  readonly width: X;
}

/**
 * The program that finds the first event in a step from t to `met.end`, and takes the step up to it.
 *
 * The root of g(t0 + θ h, y(θ)) is bracketed and found by the Illinois rule, with every third θ in the middle; y(θ) is
 * a step of the method itself, of size θ h, so that the event lies at the end of an ordinary step: what repeats or
 * undoes the steps of the solve needs to know nothing of events. The end is on the far side of the root. Where a signal
 * is 0 at t, the bracket starts a little later.
 *
 * @returns it with the number of evaluations of a step
 */
export function locateProgram(setting: AdaptiveSetting) {
  const { dtype, events = [] } = setting;
  const { parameters, origin } = constantTypes(setting);
  const { state, slope, t, signals } = carryTypes(setting);
  const inputs = {
    constants: { parameters, origin },
    carry: { state, slope, t, signals },
    met: { end: t, crossed: events.map(() => inputType("bool", t.shape)) },
    tolerance: inputType(dtype, []),
  };
  let evaluations = 0;
  const program = programOf("locate", inputs, (b, given) => {
    const located = locate(b, setting, given);
    evaluations = located.evaluations;
    return located.results;
  });
  return { program, evaluations };
}

function locate(
  b: Builder,
  setting: AdaptiveSetting,
  { constants: { parameters, origin }, carry: before, met, tolerance }: LocateInputs<Value>,
): { results: LocateResults<Value>; evaluations: number } {
  const { field, method, events = [] } = setting;
  const shape = timeShape(setting);
  const clock = clockOf(setting, origin);
  const { t: t0, slope, signals } = before;
  const { crossed } = met;
  const length = sub(b, met.end, t0);
  const stepTo = (inner: Builder, theta: Value) => {
    const { system, evaluations } = counting(inner, field, parameters, clock, before);
    const full = equal(inner, theta, 1);
    const t1 = where(inner, full, met.end, add(inner, t0, mul(inner, theta, length)));
    const interval = { t0, t1, h: sub(inner, t1, t0) };
    return { system, interval, after: method.step(system, interval, before.state), evaluations };
  };
  const signalAt = (inner: Builder, event: Event, theta: Value) => {
    const { interval, after } = stepTo(inner, theta);
    return signalOf(inner, event, shape, timeOf(inner, clock, interval.t1), after[0]);
  };

  const zero = mul(b, t0, 0);
  const roots = events.map((event, k) =>
    rootOf(b, (inner, theta) => signalAt(inner, event, theta), signals[k]!, crossed[k]!, length, tolerance),
  );
  const iterations = roots.reduce((sum, root) => add(b, sum, root.iterations), b.scalar("int64", 0));
  const width = roots.reduce(
    (most, { span }, k) => maximum(b, most, where(b, crossed[k]!, span, zero)),
    zero,
  );
  const beyond = add(b, zero, 2);
  const thetas = roots.map((root, k) => where(b, crossed[k]!, root.theta, beyond));

  const earliest = thetas.reduce((x, y) => minimum(b, x, y));
  const happens = crossed.reduce((x, y) => or(b, x, y));
  const theta = where(b, happens, earliest, zero);
  const { system, interval, after, evaluations } = stepTo(b, theta);
  const keep = (x: Value, y: Value) => where(b, happens, x, y);
  const at = (event: Event) => signalOf(b, event, shape, timeOf(b, clock, interval.t1), after[0]);
  const next = {
    state: after.map((value, k) => keep(value, before.state[k]!)) as unknown as State,
    slope: slope && keep(system.f(interval.t1, after[0]), slope),
    t: keep(interval.t1, t0),
    signals: events.map((event, k) => keep(at(event), signals[k]!)),
  };
  const report = {
    crossed: crossed.map((flag, k) => and(b, flag, equal(b, thetas[k]!, theta))),
    records: recordsOf(setting, system, interval, before.state, after),
    iterations,
    width: shape.length === 0 ? width : reduceMax(b, width),
  };
  return { results: { next, report }, evaluations: evaluations() };
}

/**
 * The θ in (0, 1] where a signal passes through zero, by the Illinois rule: the far end of a bracket.
 *
 * @param signalAt  g at θ
 * @param start  g at 0
 * @param wanted  bools: whose signals pass at all
 * @param length  of the step, so that the bracket is as short as `tolerance` in units of t
 */
function rootOf(
  b: Builder,
  signalAt: (b: Builder, theta: Value) => Value,
  start: Value,
  wanted: Value,
  length: Value,
  tolerance: Value,
): { theta: Value; span: Value; iterations: Value } {
  const dtype = start.dtype as "float32" | "float64";
  const zero = mul(b, length, 0);
  const one = add(b, zero, 1);
  const atZero = equal(b, start, 0);
  const g0 = where(b, atZero, signalAt(b, add(b, zero, lookAhead[dtype])), start);
  const bracket = {
    ...{ low: where(b, atZero, lookAhead[dtype], zero), gLow: g0 },
    ...{ high: one, gHigh: signalAt(b, one) },
    // which end was kept in the last iteration
    side: zero,
    iterations: b.scalar("int64", 0),
  };
  const { carried } = loopOver(b, { trips: maximalIterations, carried: bracket }, (inner, before, i) => {
    const { low, gLow, high, gHigh, side } = before;
    const far = sub(inner, high, low);
    const secant = div(inner, mul(inner, gHigh, far), sub(inner, gHigh, gLow));
    const halved = equal(inner, fmod(inner, cast(inner, i, dtype), 3), 2);
    const guess = sub(inner, high, secant);
    const inside = and(inner, greater(inner, guess, low), less(inner, guess, high));
    const middle = add(inner, low, mul(inner, far, 0.5));
    const theta = where(inner, and(inner, inside, not(inner, halved)), guess, middle);
    const g = signalAt(inner, theta);
    // on the far side, signs differ from that at the start
    const beyond = lessOrEqual(inner, mul(inner, sign(inner, g), sign(inner, g0)), 0);
    const [half, whole] = [inner.scalar(dtype, 0.5), inner.scalar(dtype, 1)];
    const again = (same: number, x: Value) =>
      mul(inner, x, where(inner, equal(inner, side, same), half, whole));
    const next = {
      low: where(inner, beyond, low, theta),
      gLow: where(inner, beyond, again(1, gLow), g),
      high: where(inner, beyond, theta, high),
      gHigh: where(inner, beyond, g, again(-1, gHigh)),
      side: where(inner, beyond, whole, inner.scalar(dtype, -1)),
      iterations: add(inner, before.iterations, inner.scalar("int64", 1)),
    };
    const distance = abs(inner, mul(inner, sub(inner, next.high, next.low), length));
    return { carried: next, proceed: any(inner, and(inner, greater(inner, distance, tolerance), wanted)) };
  });
  const { low, gLow, high, gHigh, iterations } = carried;
  const distance = abs(b, mul(b, sub(b, high, low), length));
  // not a number if g is not one at an end of the bracket
  return { theta: high, span: add(b, distance, mul(b, add(b, gLow, gHigh), 0)), iterations };
}
