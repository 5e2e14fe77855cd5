import { epsilon } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { dependsOnTime } from "../fields/time-dependence.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul } from "../ops/arithmetic.js";
import { abs } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import type { Operand } from "../ops/operand.js";

/**
 * How a graph that chooses its steps counts time. In float32 it does so from where the solve starts: steps are then as
 * fine as float32 is near 0, however far off the solve begins. Only the field (and what looks for events) is told
 *
 *   t = origin + τ
 */
export interface Clock {
  readonly dtype: FloatDType;
  /** t where τ is 0; `null` where time is counted as it is */
  readonly origin: Value | null;
  /** whether the field depends on t */
  readonly heeded: boolean;
}

/** Whether graphs count time from the start of a solve, and need to be told what it is. */
export function countsFromStart(dtype: FloatDType): boolean {
  return dtype === "float32";
}

/**
 * The clock of a graph.
 *
 * @param shapes  of the state and of a time
 * @param origin  the time that the solve starts at; read where time is counted from there alone
 */
export function clockFor(
  field: VectorField,
  dtype: FloatDType,
  shapes: { readonly state?: readonly number[]; readonly time?: readonly number[] },
  origin: Value | null,
): Clock {
  return {
    dtype,
    origin: countsFromStart(dtype) ? origin : null,
    heeded: dependsOnTime(field, dtype, shapes.state, shapes.time),
  };
}

/** The time t of a count τ. */
export function timeOf(b: Builder, { origin }: Clock, count: Value): Value {
  return origin === null ? count : add(b, origin, count);
}

/**
 * The least step from a count on: two to four times the spacing of float numbers there, and, if the field depends on t,
 * of those near t. A step that is any smaller is lost in rounding, or the field does not see it.
 */
export function leastStep(b: Builder, clock: Clock, count: Value, smallest: Operand): Value {
  const { dtype, origin, heeded } = clock;
  const own = abs(b, count);
  const size = heeded && origin !== null ? maximum(b, own, abs(b, timeOf(b, clock, count))) : own;
  return maximum(b, mul(b, size, 2 * epsilon[dtype]), smallest);
}
