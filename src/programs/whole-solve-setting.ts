import type { ConstantStep, Pid } from "../control/control.js";
import type { FloatDType } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Method } from "../methods/method.js";

/** A way to go from time to time, inside a graph. */
export interface Travel<C> {
  readonly start: Underway<C>;
  /** Goes on to a time, in either direction; what has failed stays where it is. */
  readonly goTo: (b: Builder, from: Underway<C>, target: Value) => Underway<C>;
}

/** A solve on its way: its state and what else it carries, and how it came there. */
export interface Underway<C> {
  readonly at: C;
  /** steps taken so far, int64 */
  readonly accepted: Value;
  /** steps tried in vain so far, int64; `null` where none can be */
  readonly rejected: Value | null;
  /** whether it did not get where it should have, a bool */
  readonly failed: Value;
}

/** The inputs of a whole solve. */
export interface WholeSolveInputs<X = Value> {
  readonly parameters: Readonly<Record<string, X>>;
  readonly y0: X;
  readonly t0: X;
  /** the last time */
  readonly t1: X;
  /** the times to save at, [saves] */
  readonly ts: X;
  /** how many steps may be tried, int64 */
  readonly maxSteps: X;
  /** for steps that are chosen */
  readonly rtol: X | null;
  readonly atol: X | null;
  /** for steps of one size */
  readonly stepSize: X | null;
}

/** What a solve of any length is made for. */
export interface WholeSolveSetting {
  readonly field: VectorField;
  readonly method: Method;
  readonly dtype: FloatDType;
  readonly control: Pid | ConstantStep;
}
