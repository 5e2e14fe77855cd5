import { type Event, signalOf } from "../events/event.js";
import { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { denseOutput } from "../methods/dense.js";
import type { State } from "../methods/method.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { abs, sign } from "../ops/elementwise.js";
import { maximum, minimum } from "../ops/extrema.js";
import { and, equal, greater, less, lessOrEqual, not, or, where } from "../ops/logic.js";
import { fmod } from "../ops/power.js";
import { reduceMax } from "../ops/reduce.js";
import { cast } from "../ops/reshape.js";
import { clockOf } from "./adaptive.js";
import { type AdaptiveSetting, type CountedProgram, carriesSlope, timeShape } from "./adaptive-setting.js";
import { any, counting } from "./attempt.js";
import { timeOf } from "./clock.js";
import { parameterInputs } from "./inputs.js";
import {
  crossedName,
  locateNames,
  adaptiveNames as names,
  nextName,
  recordName,
  signalName,
  stateName,
} from "./names.js";
import { lookAhead } from "./sides.js";

/** Enough to halve an interval to rounding by every third iteration alone. */
const maximalIterations = 180;

/**
 * The graph that finds the first event in a step from t to `triedEnd`, and takes the step up to it.
 *
 * The root of g(t0 + θ h, y(θ)) is bracketed and found by the Illinois rule, with every third θ in the middle; y(θ) is
 * a step of the method itself, of size θ h, so that the event lies at the end of an ordinary step: what repeats or
 * undoes the steps of the solve needs to know nothing of events. The end is on the far side of the root. Where a signal
 * is 0 at t, the bracket starts a little later.
 */
export function locateProgram(setting: AdaptiveSetting): CountedProgram {
  const { field, method, dtype, state, record, events = [] } = setting;
  const b = new Builder();
  const parameters = parameterInputs(b, setting);
  const shape = timeShape(setting);
  const clock = clockOf(b, setting);
  const t0 = b.input(names.t, dtype, shape);
  const triedEnd = b.input(locateNames.triedEnd, dtype, shape);
  const tolerance = b.input(locateNames.tolerance, dtype, []);
  const before = Array.from({ length: method.width }, (_, k) =>
    b.input(stateName(k), dtype, state),
  ) as unknown as State;
  const slope = carriesSlope(setting) ? b.input(names.slope, dtype, state) : null;
  const starts = events.map((_, k) => b.input(signalName(k), dtype, shape));
  const crossed = events.map((_, k) => b.input(crossedName(k), "bool", shape));

  const length = sub(b, triedEnd, t0);
  const known = { slope, t: t0, state: before };
  const stepTo = (inner: Builder, theta: Value) => {
    const { system, evaluations } = counting(inner, field, parameters, clock, known);
    const full = equal(inner, theta, 1);
    const t1 = where(inner, full, triedEnd, add(inner, t0, mul(inner, theta, length)));
    const interval = { t0, t1, h: sub(inner, t1, t0) };
    return { system, interval, after: method.step(system, interval, before), evaluations };
  };
  const signalAt = (inner: Builder, event: Event, theta: Value) => {
    const { interval, after } = stepTo(inner, theta);
    return signalOf(inner, event, shape, timeOf(inner, clock, interval.t1), after[0]);
  };

  const one = add(b, mul(b, t0, 0), 1);
  const zero = mul(b, t0, 0);
  let count = b.scalar("int64", 0);
  let width = zero;
  const thetas = events.map((event, k) => {
    const atZero = equal(b, starts[k]!, 0);
    const low0 = where(b, atZero, lookAhead[dtype], zero);
    const g0 = where(b, atZero, signalAt(b, event, add(b, zero, lookAhead[dtype])), starts[k]!);
    const { carried } = loop(
      b,
      {
        trips: maximalIterations,
        carried: [low0, g0, one, signalAt(b, event, one), zero, b.scalar("int64", 0)],
      },
      (inner, i, [low, gLow, high, gHigh, side, iterations]) => {
        const far = sub(inner, high!, low!);
        const secant = div(inner, mul(inner, gHigh!, far), sub(inner, gHigh!, gLow!));
        const halved = equal(inner, fmod(inner, cast(inner, i, dtype), 3), 2);
        const guess = sub(inner, high!, secant);
        const inside = and(inner, greater(inner, guess, low!), less(inner, guess, high!));
        const middle = add(inner, low!, mul(inner, far, 0.5));
        const theta = where(inner, and(inner, inside, not(inner, halved)), guess, middle);
        const g = signalAt(inner, event, theta);
        // on the far side, signs differ from that at the start
        const beyond = lessOrEqual(inner, mul(inner, sign(inner, g), sign(inner, g0)), 0);
        const again = (same: number, x: Value) =>
          mul(
            inner,
            x,
            where(inner, equal(inner, side!, same), inner.scalar(dtype, 0.5), inner.scalar(dtype, 1)),
          );
        const next = {
          low: where(inner, beyond, low!, theta),
          gLow: where(inner, beyond, again(1, gLow!), g),
          high: where(inner, beyond, theta, high!),
          gHigh: where(inner, beyond, g, again(-1, gHigh!)),
        };
        const open = greater(
          inner,
          abs(inner, mul(inner, sub(inner, next.high, next.low), length)),
          tolerance,
        );
        return {
          carried: [
            ...[next.low, next.gLow, next.high, next.gHigh],
            where(inner, beyond, inner.scalar(dtype, 1), inner.scalar(dtype, -1)),
            add(inner, iterations!, inner.scalar("int64", 1)),
          ],
          proceed: any(inner, and(inner, open, crossed[k]!)),
        };
      },
    );
    count = add(b, count, carried[5]!);
    // not a number if g is not one at an end of the bracket
    const span = add(
      b,
      abs(b, mul(b, sub(b, carried[2]!, carried[0]!), length)),
      mul(b, add(b, carried[1]!, carried[3]!), 0),
    );
    width = maximum(b, width, where(b, crossed[k]!, span, zero));
    return where(b, crossed[k]!, carried[2]!, mul(b, one, 2));
  });

  const earliest = thetas.reduce((x, y) => minimum(b, x, y));
  const happens = crossed.reduce((x, y) => or(b, x, y));
  const theta = where(b, happens, earliest, zero);
  const { system, interval, after, evaluations } = stepTo(b, theta);
  const keep = (x: Value, y: Value) => where(b, happens, x, y);
  const outputs: { [name: string]: Value } = { [nextName(names.t)]: keep(interval.t1, t0) };
  for (const [k, value] of after.entries()) outputs[nextName(stateName(k))] = keep(value, before[k]!);
  if (slope !== null) outputs[nextName(names.slope)] = keep(system.f(interval.t1, after[0]), slope);
  for (const [k, event] of events.entries()) {
    const at = signalOf(b, event, shape, timeOf(b, clock, interval.t1), after[0]);
    outputs[nextName(signalName(k))] = keep(at, starts[k]!);
    outputs[nextName(crossedName(k))] = and(b, crossed[k]!, equal(b, thetas[k]!, theta));
  }
  const records =
    record === "states"
      ? [after[0]]
      : record === "dense"
        ? denseOutput(method, system, interval, before, after)
        : [];
  for (const [k, value] of records.entries()) outputs[recordName(k)] = value;
  outputs[locateNames.iterations] = count;
  outputs[locateNames.width] = shape.length === 0 ? width : reduceMax(b, width);
  return { graph: b.graph(outputs, "locate"), evaluations: evaluations() };
}
