import { pullback } from "../autodiff/vjp.js";
import type { Adjoint } from "../chains/adjoint.js";
import type { ChainMethod } from "../chains/adjoints.js";
import type { Builder } from "../graph/builder.js";
import type { Value, ValueType } from "../graph/graph.js";
import { zerosLike } from "../ops/generate.js";
import { firstTime, type Setting, type SolveInputs, systemIn } from "./inputs.js";
import { inputType } from "./program.js";
import type { ScheduleValues } from "./schedule-values.js";

/** How a solve is differentiated. */
export type GradientMethod =
  | ChainMethod
  /**
   * the continuous adjoint: solves the adjoint equation backwards (optimise, then discretise); not exact. With adaptive
   * steps, `seminorm` ignores the parameters' part of the adjoint's error, on which nothing else depends
   */
  | { readonly kind: "continuous"; readonly seminorm?: boolean };

/** A way to differentiate a solve: what it stores, and how cotangents of the saved states go back. */
export interface SolveAdjoint<M extends GradientMethod = GradientMethod> extends Adjoint<M> {
  /** @throws {GradientMethodError} if the method of the setting cannot be differentiated this way */
  readonly solve: (b: Builder, setting: Setting, inputs: BackwardInputs) => SolveForward;
  readonly pull: (
    b: Builder,
    setting: Setting,
    inputs: BackwardInputs,
    solved: Omit<SolveForward, "drift">,
    cotangent: Value,
  ) => SolveCotangents;
}

/**
 * Where each step starts and ends between the two times around it (the first time and the save times), from 0 to 1.
 * When those times move, the grid between them moves along:
 *
 *   t(w) = (1 − w) from + w to
 */
export interface TimeShares<T = Value> {
  readonly start: T;
  readonly end: T;
  /** the save that each step leads to, int64 */
  readonly leadsTo: T;
}

/** The inputs of a gradient. Without shares, times have no gradient; a schedule is there for gradients that have one. */
export interface BackwardInputs extends SolveInputs {
  readonly shares: TimeShares | null;
  readonly schedule: ScheduleValues | null;
}

/** The types of the shares of steps, where times are to have a gradient. */
export function shareTypes({ dtype }: Setting, times: boolean): TimeShares<ValueType> | null {
  if (!times) return null;
  const share = inputType(dtype, ["steps"]);
  return { start: share, end: share, leadsTo: inputType("int64", ["steps"]) };
}

/** A solve that can be pulled back through. */
export interface SolveForward {
  readonly ys: Value;
  /** how far the companion of y has drifted off, over the size of y; `null` for a method without one */
  readonly drift: Value | null;
  /** what the way back needs beside the states at the saves */
  readonly saved: readonly Value[];
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
  return { y0: pulled[0] ?? zerosLike(b, y0), t0: pulled[1] ?? null, parameters: pulled.slice(2) };
}
