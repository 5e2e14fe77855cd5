import type { Control } from "../control/control.js";
import { epsilon, spacingAt } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { dependsOnTime } from "../fields/time-dependence.js";
import { TimeError } from "../programs/grid.js";

/** Where a solve goes: its first time and its last. */
export interface Way {
  readonly t0: number;
  readonly end: number;
}

/** How far apart float numbers are on a way, where they are farthest. */
function spacingOn(dtype: FloatDType, way: Way): number {
  return spacingAt(dtype, farthest(way));
}

/** Whether a step is longer than so many spacings on a way, as is known without the spacing: it is at most ε |t|. */
function isClearlyLonger(step: number, dtype: FloatDType, way: Way, spacings: number): boolean {
  return step > spacings * epsilon[dtype] * Math.abs(farthest(way));
}

/**
 * Checks that steps are not lost in the spacing of float numbers. Times are reckoned in float64, or from t0 on; but a
 * field that depends on t is told it in its own dtype.
 *
 * @param stepSize  the largest step that is taken
 * @throws {TimeError} if the field could not tell one step from the next
 */
export function checkResolution(
  { field, dtype }: { readonly field: VectorField; readonly dtype: FloatDType },
  way: Way,
  stepSize: number,
): void {
  if (isClearlyLonger(stepSize, dtype, way, 1)) return;
  const spacing = spacingOn(dtype, way);
  if (stepSize >= spacing || way.t0 === way.end) return;
  if (stepSize >= spacingOn("float64", way) && !dependsOnTime(field, dtype)) return;
  throw new TimeError(
    `In ${dtype}, times near ${farthest(way)} are ${show(spacing)} apart, so that steps of ${show(stepSize)} cannot be ` +
      `told from each other. ${dtype === "float32" ? "Use float64, or count" : "Count"} time from nearer to 0.`,
  );
}

/** Spacings that a step should span at least: of fewer, the times of its stages are known to a few percent of it. */
const fewest = 16;

/** The spacing of times, where the field depends on t and steps were, on the whole, hardly longer than that. */
export function coarseSpacing(
  { field, dtype }: { readonly field: VectorField; readonly dtype: FloatDType },
  times: readonly number[],
): number | null {
  const way = { t0: times[0]!, end: times.at(-1)! };
  const usual = Math.abs(way.end - way.t0) / Math.max(1, times.length - 1);
  if (isClearlyLonger(usual, dtype, way, fewest)) return null;
  const spacing = spacingOn(dtype, way);
  return usual < fewest * spacing && usual > 0 && dependsOnTime(field, dtype) ? spacing : null;
}

/** The largest step of a control on a way, as far as it is known beforehand. */
export function largestStep(control: Control, { t0, end }: Way): number {
  const length = Math.abs(end - t0);
  if (control.kind === "constant") return control.stepSize;
  if (control.kind === "pid") return Math.min(control.dtmax, length);
  return length / Math.max(1, control.times.length);
}

function farthest({ t0, end }: Way): number {
  return Math.abs(end) > Math.abs(t0) ? end : t0;
}

function show(x: number): number {
  return Number(x.toPrecision(3));
}
