import type { ConstantStep, GivenTimes, Pid } from "../control/control.js";
import type { Sharing, Tolerances } from "../control/norm.js";
import { type FloatDType, sizeOf } from "../core/tensor.js";
import type { Event } from "../events/event.js";
import type { VectorField } from "../fields/field.js";
import type { Value } from "../graph/graph.js";
import type { Method } from "../methods/method.js";
import type { Clock } from "./clock.js";

/** What is kept of each step: nothing, y at its end, or the coefficients of y inside it. */
export type Record = "nothing" | "states" | "dense";

/** What a solve that chooses its steps is made for. */
export interface AdaptiveSetting {
  readonly field: VectorField;
  readonly method: Method;
  readonly dtype: FloatDType;
  /** shape of y0, batch included */
  readonly state: readonly number[];
  readonly control: Pid | ConstantStep | GivenTimes;
  readonly sharing: Sharing;
  readonly record: Record;
  /** what to look for: the steps stop before the one in which something happens */
  readonly events?: readonly Event[];
  /**
   * Whether one run may pass several stops, with y after each attempt put out for that where nothing is recorded;
   * otherwise it ends at the first.
   */
  readonly chained?: boolean;
}

/** What of it a step and its control need. */
export interface Stepping extends Pick<AdaptiveSetting, "method" | "dtype" | "control" | "sharing"> {
  readonly clock: Clock;
  /** the least step that may be tried wherever t is; what the spacing of t allows is a further limit */
  readonly smallest: Value;
  /** values of the graph that take the place of the control's */
  readonly tolerances?: Tolerances;
}

/** The shape of times and step sizes: one, or one for each trajectory, of the state's rank so that they broadcast. */
export function timeShape({ state, sharing }: Pick<AdaptiveSetting, "state" | "sharing">): number[] {
  return sharing === "batch" ? [] : state.map((dim, axis) => (axis === 0 ? dim : 1));
}

/**
 * Whether f(t, y) is carried from step to step: where a step, its error estimate or its dense output evaluates
 * f(t1, y1), which the next one starts with.
 */
export function carriesSlope({
  field,
  method,
  control,
  record,
}: Pick<AdaptiveSetting, "field" | "method" | "control" | "record">): boolean {
  // f at the end of a step is not that at the beginning of the next one
  if (field.jumps === true) return false;
  const estimates = control.kind === "pid" && (method.error?.evaluations ?? 0) > 0;
  const cubic = record === "dense" && (method.dense === undefined || method.width === 1);
  return cubic || (estimates && method.width === 1);
}

/** Bytes of a state that are little enough to be put out after each attempt. */
const smallState = 1 << 12;

/** Whether runs should pass several stops, where there are any: not if that means to put out large states. */
export function chainsStops({
  state,
  dtype,
  record,
}: Pick<AdaptiveSetting, "state" | "dtype" | "record">): boolean {
  return record !== "nothing" || sizeOf(state) * (dtype === "float64" ? 8 : 4) <= smallState;
}
