import type { Pid } from "../control/control.js";
import type { Row } from "./dense-solution.js";

/** How one trajectory (or a batch that shares its steps) has come along. */
export interface Track {
  /** its accepted steps: the first time, and the end of each step */
  readonly times: number[];
  /** the count of the last of them */
  count: number;
  rejected: number;
  /** how many of those only because its two solutions parted */
  parted: number;
  /** steps taken in search of events */
  located: number;
  /** the largest distance of companion and y so far, as root mean square */
  drift: number;
  /** the largest y so far, as root mean square */
  size: number;
}

/** What happens on the way of a solve. */
export interface StepperRequest {
  /** initial time of each track, from which time is counted */
  readonly t0: readonly number[];
  /** counts of the times that each track must hit, monotone, the last of them its end; all tracks have as many */
  readonly stops: readonly (readonly number[])[];
  /** whether the state at a stop is wanted */
  readonly wanted: (stop: number) => boolean;
  /** Receives the state at a stop that is wanted, and how many steps lie before it. */
  readonly onStop: (track: number, stop: number, y: Row, steps: number) => void;
  /** Receives what was recorded of each accepted step, from count to count. */
  readonly onStep: (track: number, from: number, to: number, rows: readonly Row[]) => void;
  /** Receives an event, the count of its time, and the state at it; says whether the track ends there. */
  readonly onEvent?: (track: number, event: number, count: number, y: Row, steps: number) => boolean;
  /** how closely the times of events are wanted; rounding by default */
  readonly eventTolerance?: number | undefined;
  /** what errors are held against; those of the control that the solve was compiled for, unless others are given */
  readonly tolerances?: Pick<Pid, "rtol" | "atol">;
  /** attempted steps per track */
  readonly maxSteps: number;
  readonly signal?: AbortSignal | undefined;
}

export function rootMeanSquare(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return Math.sqrt(sum / Math.max(1, values.length));
}
