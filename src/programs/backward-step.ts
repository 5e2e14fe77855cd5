import { pullback } from "../autodiff/vjp.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { scaled, sumOf } from "../methods/cotangents.js";
import type { State } from "../methods/method.js";
import { accumulate, sub } from "../ops/arithmetic.js";
import { zeros } from "../ops/linalg.js";
import { gather } from "../ops/slicing.js";
import { shareNames } from "./backward-names.js";
import { firstTime, intervalAt, type Setting, type SolveInputs, systemIn } from "./inputs.js";
import type { ScheduleValues } from "./schedule.js";

/**
 * Where each step starts and ends between the two times around it (the first time and the save times), from 0 to 1.
 * When those times move, the grid between them moves along:
 *
 *   t(w) = (1 − w) from + w to
 */
export interface TimeShares {
  readonly start: Value;
  readonly end: Value;
}

/** The inputs of a gradient. Without shares, times have no gradient; a schedule is there for gradients that have one. */
export interface BackwardInputs extends SolveInputs {
  readonly shares: TimeShares | null;
  readonly schedule: ScheduleValues | null;
}

/** Declares the shares of steps, where times are to have a gradient. */
export function shareInputs(b: Builder, { dtype }: Setting, times: boolean): TimeShares | null {
  if (!times) return null;
  return {
    start: b.input(shareNames.start, dtype, ["steps"]),
    end: b.input(shareNames.end, dtype, ["steps"]),
  };
}

/** The cotangents of what goes into a solve. */
export interface SolveCotangents {
  readonly y0: Value;
  readonly parameters: readonly Value[];
  /** of the first time and the save times, [saves + 1], where they are asked for */
  readonly times: Value | null;
  /** y0 as the backward pass reconstructs it, where it does */
  readonly reconstructed: Value | null;
  /**
   * the largest error of a state that undoing steps gives back, over the size of y, both in the maximum norm; `null`
   * where steps are not undone
   */
  readonly reconstructionError: Value | null;
}

/** A solve that can be pulled back through. */
export interface SolveForward {
  readonly ys: Value;
  /** how far the companion of y has drifted off, over the size of y; `null` for a method without one */
  readonly drift: Value | null;
  /** what the way back needs beside the states at the saves */
  readonly saved: readonly Value[];
}

/** A way to differentiate a solve: what it stores, and how cotangents of the saved states go back. */
export interface SolveAdjoint<Inputs extends BackwardInputs = BackwardInputs> {
  /** @throws {GradientMethodError} if the method of the setting cannot be differentiated this way */
  readonly solve: (b: Builder, setting: Setting, inputs: Inputs) => SolveForward;
  readonly pull: (
    b: Builder,
    setting: Setting,
    inputs: Inputs,
    solved: Omit<SolveForward, "drift">,
    cotangent: Value,
  ) => SolveCotangents;
}

/** What pulling cotangents through one step gives. */
export interface PulledStep {
  /** of the state before the step */
  readonly cotangents: Value[];
  readonly parameters: readonly (Value | null)[];
  /** of the times around the step, [from, to]; none where times have no gradient */
  readonly times: readonly Value[];
}

/** Pulls cotangents of the state after step i back through the step, from the state before it. */
export function pullStep(
  b: Builder,
  { field, method, dtype }: Setting,
  { parameters, grid, shares }: BackwardInputs,
  i: Value,
  before: State,
  cotangents: readonly Value[],
): PulledStep {
  const system = systemIn(b, field, parameters);
  const interval = intervalAt(b, grid, i);
  const { t0, t1, h } = interval;
  const after = method.step(system, interval, before);
  const own = [...before, ...system.parameters];
  const pulled = pullback(b, after, cotangents, shares === null ? own : [...own, t0, t1, h]);
  return {
    cotangents: before.map((value, k) => pulled[k] ?? zerosOf(b, value)),
    parameters: pulled.slice(before.length, own.length),
    times: shares === null ? [] : timesAround(b, shares, i, pulled.slice(own.length), b.scalar(dtype, 0)),
  };
}

/**
 * With w0 and w1 the shares of a step,
 *
 *   to̅ = w0 t̄0 + w1 t̄1 + (w1 − w0) h̄,   from̅ = t̄0 + t̄1 − to̅
 */
function timesAround(
  b: Builder,
  shares: TimeShares,
  i: Value,
  [t0Bar, t1Bar, hBar]: readonly (Value | null)[],
  nothing: Value,
): readonly Value[] {
  const start = gather(b, shares.start, i);
  const end = gather(b, shares.end, i);
  const to = sumOf(b, [scaled(b, t0Bar, start), scaled(b, t1Bar, end), scaled(b, hBar, sub(b, end, start))]);
  const both = sumOf(b, [t0Bar, t1Bar]);
  return [sub(b, both ?? nothing, to ?? nothing), to ?? nothing];
}

/** What pulling cotangents through the start of a solve gives. */
export interface PulledStart {
  readonly y0: Value;
  readonly parameters: readonly (Value | null)[];
  readonly t0: Value | null;
}

/** Pulls cotangents of a method's first state back to y0. */
export function pullStart(
  b: Builder,
  { field, method }: Setting,
  { parameters, y0, grid }: SolveInputs,
  cotangents: readonly Value[],
): PulledStart {
  const system = systemIn(b, field, parameters);
  const t0 = firstTime(b, grid);
  const start = method.start(system, t0, y0);
  const pulled = pullback(b, start, cotangents, [y0, t0, ...system.parameters]);
  return { y0: pulled[0] ?? zerosOf(b, y0), t0: pulled[1] ?? null, parameters: pulled.slice(2) };
}

export function addAll(b: Builder, sums: readonly Value[], terms: readonly (Value | null)[]): Value[] {
  return sums.map((sum, i) => accumulate(b, sum, terms[i] ?? null)!);
}

export function zerosOf(b: Builder, like: Value): Value {
  return zeros(b, like.dtype, like.shape as readonly number[]);
}
