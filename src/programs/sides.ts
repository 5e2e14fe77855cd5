import type { FloatDType } from "../core/tensor.js";
import { type Event, signalOf } from "../events/event.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Interval, Method, State, System } from "../methods/method.js";
import { add, mul } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { equal, or, where } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import { any } from "./attempt.js";
import { type Clock, timeOf } from "./clock.js";

/**
 * How far into a step one looks for the sign of a signal that is 0 at its start, as a part of the step: far enough for
 * what y has changed by to be seen beside its rounding.
 */
export const lookAhead: { readonly [dtype in FloatDType]: number } = { float32: 2 ** -8, float64: 2 ** -16 };

/**
 * Signals just after the start of a step: as they are there, or, where they are 0, as they are a little further on. A
 * signal that has just passed through zero, or starts there, is then seen to come back.
 *
 * @param system  makes the equation in the scope of a builder
 * @param before.signals  at the start of the step
 */
export function signalsAfter(
  b: Builder,
  system: (b: Builder) => System,
  {
    method,
    dtype,
    clock,
    events,
  }: { method: Method; dtype: FloatDType; clock: Clock; events: readonly Event[] },
  { t0, h }: Interval,
  before: { readonly state: State; readonly signals: readonly Value[] },
): readonly Value[] {
  const { state, signals } = before;
  const zeros = signals.map((signal) => equal(b, signal, 0));
  const needed = any(
    b,
    zeros.reduce((some, each) => or(b, some, each)),
  );
  // θ goes through the loop so that what depends on it is not computed where nobody needs it
  const carried = [b.scalar(dtype, lookAhead[dtype]), ...signals];
  const { carried: after } = loop(b, { trips: cast(b, needed, "int64"), carried }, (inner, _i, values) => {
    const part = mul(inner, h, values[0]!);
    const t1 = add(inner, t0, part);
    const [y] = method.step(system(inner), { t0, t1, h: part }, state);
    const there = events.map((event) =>
      signalOf(inner, event, t0.shape as number[], timeOf(inner, clock, t1), y),
    );
    return {
      carried: [values[0]!, ...there.map((signal, k) => where(inner, zeros[k]!, signal, signals[k]!))],
    };
  });
  return after.slice(1);
}
