import { RevortError } from "../core/errors.js";
import { ShapeError, showShape, sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { reshape } from "../ops/reshape.js";

/** An event that makes no sense. */
export class EventError extends RevortError {}

/** Something that happens when a function of time and state passes through zero. */
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
