import { type Control, usualDriftTolerance } from "../control/control.js";
import type { FloatDType } from "../core/tensor.js";
import type { Method } from "../methods/method.js";
import { DriftError, SolveError, type SolvePosition } from "./failures.js";
import type { SolveStats } from "./solution.js";
import type { SolveWarning } from "./solve-warning.js";
import { tightness } from "./tightness.js";

/** An unreliable solution, where that was asked to be an error. */
export class StrictError extends SolveError {
  constructor(
    readonly warnings: readonly SolveWarning[],
    position: SolvePosition,
  ) {
    super(warnings.map(({ message }) => message).join(" "), position);
  }
}

/** Relative distance of y and its companion past which a solution is unreliable. */
export const driftLimit = 1e-2;
/** Relative error of the reconstructed y0 past which reversible gradients are unreliable. */
const reconstructionLimit = 1e-3;

export interface Circumstances {
  readonly method: Method;
  readonly dtype: FloatDType;
  readonly control: Control;
  readonly stats: SolveStats;
  /** the largest y, as root mean square */
  readonly size: number;
  /** how far apart float numbers are at the times of the solve, where that is not much less than its steps */
  readonly coarse: number | null;
}

/** What is unreliable about a solution. */
export function warningsOf({ method, dtype, control, stats, size, coarse }: Circumstances): SolveWarning[] {
  const warnings: SolveWarning[] = [];
  const { drift, reconstructionError, stability } = stats;
  if (drift !== null && !(drift <= limitOf(control, size))) {
    warnings.push({ code: "drift", message: driftText(method, dtype, size > 0 ? drift : null) });
  }
  if (reconstructionError !== null && !(reconstructionError <= reconstructionLimit)) {
    warnings.push({
      code: "reconstruction",
      message:
        `Undoing the solve gives y0 back with a relative error of ${show(reconstructionError)}: gradients by ` +
        `reconstruction are as wrong. ${method.coupling === null ? "" : "Take a λ nearer to 1, "}` +
        `${dtype === "float32" ? "solve in float64, " : ""}refresh the state from stored ones on the way, or use another gradient.`,
    });
  }
  if (stability !== null && stability.dampingTimesStep > stability.limit) {
    warnings.push({ code: "stability", message: stabilityText(method, dtype, stability) });
  }
  const tight = tightness(control, dtype, size);
  if (tight !== null) warnings.push({ code: "tolerance", message: tight });
  if (coarse !== null) {
    warnings.push({
      code: "times",
      message:
        `The times of the solve are ${show(coarse)} apart in ${dtype}, hardly less than its steps: the field, which depends on ` +
        `t, is told it that coarsely. ${dtype === "float32" ? "Use float64, or count" : "Count"} time from nearer to 0.`,
    });
  }
  return warnings;
}

/** Why a coupled method drifts apart on a field that damps. */
export function stabilityText(
  method: Method,
  dtype: FloatDType,
  { dampingTimesStep, limit }: NonNullable<SolveStats["stability"]>,
): string {
  return (
    `The field damps so fast that damping times step size reaches ${show(dampingTimesStep)}, more than ` +
    `−ln λ = ${show(limit)}, up to which the coupled method is stable: its two solutions drift apart. ${remedy(method, dtype)}`
  );
}

/** What drift means, and what to do against it. @param drift  relative to y; `null` where that is 0 */
export function driftText(
  method: Pick<Method, "name" | "coupling">,
  dtype: FloatDType,
  drift: number | null,
): string {
  return (
    `${shown(method)}: y and its companion ${drift === null ? "have parted from 0" : `differ by ${percent(drift)} of ‖y‖`}, so ` +
    `that the solution is unreliable. ${remedy(method, dtype)}`
  );
}

/** Where there is a tolerance, drift is held against that: a few times what is let pass as harmless. */
function limitOf(control: Control, size: number): number {
  if (control.kind !== "pid") return driftLimit;
  const { rtol, atol, driftTolerance } = control;
  return 3 * Math.min(driftTolerance, usualDriftTolerance) * (rtol + atol / Math.max(size, Number.MIN_VALUE));
}

function remedy({ coupling }: Pick<Method, "coupling">, dtype: FloatDType): string {
  const precise = dtype === "float32" ? ", or float64 where it is rounding that grows" : "";
  return coupling === null
    ? "Take smaller steps, or a method that damps: a coupled one with λ below 1, or a base method."
    : `Take smaller steps, a smaller λ (now ${coupling}; coupling "auto" chooses one), or the base method${precise}.`;
}

/** A coupled method as it is written in code. */
function shown({ name, coupling }: Pick<Method, "name" | "coupling">): string {
  return coupling === null ? name : `reversible(${name})`;
}

function percent(share: number): string {
  return Number.isFinite(share)
    ? `${Number((100 * share).toPrecision(2))} %`
    : "infinitely many times the size";
}

function show(x: number): string {
  return Number.isFinite(x) ? String(Number(x.toPrecision(3))) : "infinite";
}

/** @throws {DriftError | StrictError} if there is any warning */
export function refuse(warnings: readonly SolveWarning[], position: SolvePosition): void {
  const [first] = warnings;
  if (first === undefined) return;
  if (first.code === "drift") throw new DriftError(first.message, position);
  throw new StrictError(warnings, position);
}
