import { reconstructionLimit } from "../chains/lost.js";
import { RevortError } from "../core/errors.js";
import { epsilon } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { Method } from "../methods/method.js";
import { undoGrowth } from "../methods/stability.js";
import { adjointFor } from "../programs/adjoints.js";
import type { GradientMethod } from "./method.js";

/** A gradient by reconstruction whose reconstruction is lost, however many states are stored on the way. */
export class ReconstructionError extends RevortError {}

/**
 * How far below the limit the known part of the error is kept where states are stored for it: the field magnifies
 * rounding as well.
 */
const margin = 100;

/** What is to be known of a method whose steps are undone, whatever equation it is for. */
export type Undone = Pick<Method, "name" | "coupling" | "stepMatrix">;

/** What undoing n steps makes of rounding where the field is 0: ε gⁿ, with g = 1/λ for a coupled method. */
export function roundingAfter(method: Undone, dtype: FloatDType, steps: number): number {
  return epsilon[dtype] * undoGrowth(method) ** steps;
}

/** A gradient with stored states where they are needed, and why they are; `null` where they are not. */
export interface GuardedGradient {
  readonly gradient: GradientMethod;
  readonly note: string | null;
}

/**
 * The gradient with as many stored states as its method needs over so many steps: where ε gⁿ is beyond the limit for
 * the n steps between two stored states, they are put closer, at ε gⁿ of a hundredth of it.
 */
export function guardedGradient(
  gradient: GradientMethod,
  method: Undone,
  dtype: FloatDType,
  steps: number,
): GuardedGradient {
  if (!adjointFor(gradient).undoes) return { gradient, note: null };
  const undone = undoneAtOnce(gradient, steps);
  const bound = roundingAfter(method, dtype, undone);
  const limit = reconstructionLimit[dtype];
  if (bound <= limit) return { gradient, note: null };
  const growth = undoGrowth(method);
  const refresh = Math.max(1, Math.floor(Math.log(limit / margin / epsilon[dtype]) / Math.log(growth)));
  return {
    gradient: { kind: "reversible", refresh },
    note:
      `Undoing ${undone} steps of "${method.name}" magnifies rounding ${growthText(method)}, to ${show(bound)} of y ` +
      `(ε = ${show(epsilon[dtype])} in ${dtype}), more than ${show(limit)}: a state is stored every ` +
      `${refresh === 1 ? "step" : `${refresh} steps`}, and undoing starts from there (gradient reversible:${refresh}).`,
  };
}

/** How many of so many steps are undone from one stored state. */
function undoneAtOnce(gradient: GradientMethod, steps: number): number {
  return Math.min(steps, ("refresh" in gradient ? gradient.refresh : undefined) ?? steps);
}

function growthText(method: Undone): string {
  return method.coupling === null
    ? `by ${show(undoGrowth(method))} a step`
    : `by 1/λ = ${show(undoGrowth(method))} a step`;
}

/**
 * The gradient with states stored closer, after an error of reconstruction was measured: at half the steps, or closer
 * where the error asks for that, if it grows by the same factor from step to step, or, where steps are undone but to an
 * order, by as much.
 *
 * @param steps  of the solve
 * @param error  relative; NaN or ∞ where states were not finite
 * @throws {ReconstructionError} where a state is stored at every step already
 */
export function refreshedCloser(
  {
    gradient,
    method,
    dtype,
  }: { gradient: GradientMethod; method: Pick<Method, "name" | "coupling" | "undoneTo">; dtype: FloatDType },
  steps: number,
  error: number,
): GradientMethod {
  const before = undoneAtOnce(gradient, steps);
  const limit = reconstructionLimit[dtype];
  if (before <= 1) {
    throw new ReconstructionError(
      `The reconstruction is lost within a single step of "${method.name}": its state comes back with a relative error ` +
        `of ${show(error)}, more than ${show(limit)} (${dtype}), so there is no gradient by reconstruction. ` +
        `Take ${insteadOf(method)}another gradient: "direct" or "checkpoint".`,
    );
  }
  const share =
    method.undoneTo === undefined
      ? Math.log(limit / margin / epsilon[dtype]) / Math.log(error / epsilon[dtype])
      : limit / (2 * error);
  const fitting = share > 0 ? Math.floor(before * share) : before;
  return { kind: "reversible", refresh: Math.max(1, Math.min(Math.floor(before / 2), fitting)) };
}

/** What else to do about steps that are not undone well enough. */
function insteadOf({ coupling, undoneTo }: Pick<Method, "coupling" | "undoneTo">): string {
  if (undoneTo !== undefined) return `smaller steps, whose states come back to O(h^${undoneTo}), or `;
  return coupling === null ? "" : `a λ nearer to 1 (now ${coupling}), or `;
}

/** Why states are stored closer than before. */
export function refreshNote(
  { name }: Method,
  dtype: FloatDType,
  error: number,
  gradient: GradientMethod,
): string {
  const refresh = undoneAtOnce(gradient, Number.POSITIVE_INFINITY);
  return (
    `Undoing the steps of "${name}" gave states back with a relative error of ${show(error)}, more than ` +
    `${show(reconstructionLimit[dtype])}: the gradient was done again from states stored every ` +
    `${refresh === 1 ? "step" : `${refresh} steps`} (gradient reversible:${refresh}).`
  );
}

/** Whether states came back. NaN has not. */
export function isReconstructed(error: number, dtype: FloatDType): boolean {
  return error <= reconstructionLimit[dtype];
}

function show(x: number): string {
  if (!Number.isFinite(x)) return "more than any number";
  return x >= 1e-3 && x < 1e6 ? String(Number(x.toPrecision(3))) : x.toExponential(1);
}
