import type { Control } from "../control/control.js";
import { RevortError } from "../core/errors.js";
import { ShapeError, showShape, sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { reshape } from "../ops/reshape.js";

/** An event that makes no sense. */
export class EventError extends RevortError {}

/**
 * Something that happens when a function of time and state passes through zero: when its sign at the end of a step is not
 * that at the start, or it is 0 at the end. Zero at t0 is none. **Two zeros in one step are not seen**, for the sign is the
 * same again: where a signal may come back that fast, say how long steps may be with `maxStep`.
 */
export interface Event {
  /** as it is called in messages */
  readonly name?: string;
  /**
   * g(t, y): one number; or one for each trajectory, where each has its own steps.
   *
   * @param t  a scalar, or [batch, 1, …] where each trajectory has its own steps
   * @param y  the state
   */
  readonly signal: (b: Builder, t: Value, y: Value) => Value;
  /** the way in which g passes through zero along the solve; both if left out */
  readonly direction?: "rising" | "falling";
  /** the largest step while it is looked for: less than the signal can take to pass through zero and back */
  readonly maxStep?: number;
  /** whether the solve ends there: at the first one, or at the n-th; if left out, events are only noted */
  readonly terminal?: boolean | number;
}

/** g(t, y) in the shape of times. @throws {ShapeError} unless it has as many numbers as there are times */
export function signalOf(b: Builder, event: Event, shape: readonly number[], t: Value, y: Value): Value {
  const value = event.signal(b, t, y);
  const size = value.shape.every((dim) => typeof dim === "number") ? sizeOf(value.shape as number[]) : null;
  if (size !== sizeOf(shape)) {
    throw new ShapeError(
      `The signal of an event must be ${sizeOf(shape) === 1 ? "one number" : `${sizeOf(shape)} numbers, one per trajectory`}, ` +
        `but ${event.name ?? "an event"} has the shape ${showShape(value.shape)}.` +
        (sizeOf(shape) === 1
          ? " Pick a component (slice), or reduce over them; for events of each trajectory of a batch use solveEach."
          : ""),
    );
  }
  return reshape(b, value, [...shape]);
}

/**
 * A control with steps no longer than events allow.
 *
 * @throws {EventError} if a largest step is not positive, or steps are given
 */
export function withinSteps(control: Control, events: readonly Event[]): Control {
  const bounded = events.filter((event) => event.maxStep !== undefined);
  const [first] = bounded;
  if (first === undefined) return control;
  const wrong = bounded.find(({ maxStep }) => !(maxStep! > 0));
  if (wrong !== undefined) {
    throw new EventError(
      `The largest step of the ${wrong.name ?? "event"} (maxStep) must be a positive number, but ${wrong.maxStep} was given.`,
    );
  }
  if (control.kind === "times") {
    throw new EventError(
      `The steps of the solve are given, so that the ${first.name ?? "event"} cannot have a largest one (maxStep). ` +
        "Give closer times, or another control.",
    );
  }
  const longest = Math.min(...bounded.map(({ maxStep }) => maxStep!));
  if (control.kind === "pid" && control.dtmin > longest) {
    throw new EventError(
      `An event allows no step above ${longest} (maxStep), but dtmin is ${control.dtmin}.`,
    );
  }
  return control.kind === "pid"
    ? { ...control, dtmax: Math.min(control.dtmax, longest) }
    : { ...control, stepSize: Math.min(control.stepSize, longest) };
}

/** How many times an event may happen before the solve ends; infinite if it is only noted. @throws {EventError} */
export function endsAfter({ terminal = false, name = "event" }: Event): number {
  if (terminal === false) return Number.POSITIVE_INFINITY;
  const count = terminal === true ? 1 : terminal;
  if (!(Number.isInteger(count) && count > 0)) {
    throw new EventError(
      `The ${name} can end a solve at its first or n-th time, but terminal is ${terminal}.`,
    );
  }
  return count;
}
