import { RevortError } from "../core/errors.js";
import { type FloatDType, type Tensor, tensor } from "../core/tensor.js";

/** Times that cannot be stepped through: not increasing, not finite, or no step between them. */
export class TimeError extends RevortError {}

/**
 * Where a solve steps and what it saves. Scalars only: however long the solve, this is all that is kept of its times.
 */
export interface Grid {
  /** times between steps, one more than there are steps */
  readonly times: readonly number[];
  /** `offsets[i + 1]` steps lie before save i; `offsets[0]` is 0 */
  readonly offsets: readonly number[];
}

/** Number of steps. */
export function stepsOf(grid: Grid): number {
  return grid.times.length - 1;
}

/**
 * The grid that hits every save time exactly: each stretch between two of them is cut into the fewest equal steps of
 * at most `stepSize`.
 *
 * @param t0  initial time
 * @param saves  times to save at, from t0 on, monotone; t0 itself may be the first, and several may be one
 * @param stepSize  largest step, positive, in the units of t
 * @throws {TimeError} naming the time that is out of order, or the step size that is not positive
 */
export function gridThrough(t0: number, saves: readonly number[], stepSize: number): Grid {
  if (!(stepSize > 0 && Number.isFinite(stepSize))) {
    throw new TimeError(`The step size must be a positive number, but ${stepSize} was given.`);
  }
  checkTimes(t0, saves);
  const offsets = [0];
  let from = t0;
  for (const to of saves) {
    const length = Math.abs(to - from);
    // a stretch that is a whole number of steps up to rounding is one
    const count = length === 0 ? 0 : Math.max(1, Math.ceil((length / stepSize) * (1 - 1e-9)));
    const steps = offsets.at(-1)! + count;
    if (steps > maximalSteps) {
      throw new TimeError(
        `A step size of ${stepSize} means ${steps} steps from ${t0} to ${to}, more than ${maximalSteps}. Enlarge the step size.`,
      );
    }
    offsets.push(steps);
    from = to;
  }
  // all at once: an array that grows takes twice the memory of a long solve
  const times = new Array<number>(offsets.at(-1)! + 1);
  times[0] = t0;
  for (const [save, to] of saves.entries()) {
    const [first, last] = [offsets[save]!, offsets[save + 1]!];
    const start = times[first]!;
    for (let i = first + 1; i < last; i++) times[i] = start + ((to - start) * (i - first)) / (last - first);
    if (last > first) times[last] = to;
  }
  return { times, offsets };
}

/**
 * The grid that steps between given times, and besides hits every save time.
 *
 * @param between  monotone in the direction of the solve; t0 may be the first
 * @throws {TimeError} for times out of order, or outside of the solve
 */
export function gridWith(t0: number, saves: readonly number[], between: readonly number[]): Grid {
  checkTimes(t0, saves);
  checkBetween(t0, saves.at(-1)!, between);
  const direction = Math.sign(saves.at(-1)! - t0) || 1;
  // both lists go the same way
  const times = [t0];
  const offsets = [0];
  const reach = (time: number) => {
    if (time !== times.at(-1)) times.push(time);
  };
  let next = 0;
  for (const save of saves) {
    for (; next < between.length && (between[next]! - save) * direction <= 0; next++) reach(between[next]!);
    reach(save);
    offsets.push(times.length - 1);
  }
  return { times, offsets };
}

/** @throws {TimeError} unless steps that are to end at given times go one way, from t0 to the end */
export function checkBetween(t0: number, end: number, between: readonly number[]): void {
  if (between.length > 0) checkTimes(t0, between);
  const direction = Math.sign(end - t0) || 1;
  const outside = between.find((t) => (t - t0) * direction < 0 || (end - t) * direction < 0);
  if (outside !== undefined) {
    throw new TimeError(`A step was to end at ${outside}, which is not between ${t0} and ${end}.`);
  }
}

const maximalSteps = 1e8;

/**
 * Several times may be one: each of them is saved.
 *
 * @throws {TimeError} unless the times are finite and go one way from t0, which may be the first of them
 */
export function checkTimes(t0: number, saves: readonly number[]): void {
  if (!Number.isFinite(t0))
    throw new TimeError(`The initial time must be a finite number, but ${t0} was given.`);
  if (saves.length === 0)
    throw new TimeError("There is nothing to solve for: give at least one time to save at.");
  const direction = Math.sign(saves.at(-1)! - t0) || 1;
  let from = t0;
  for (const to of saves) {
    const length = (to - from) * direction;
    if (!Number.isFinite(to) || length < 0) {
      throw new TimeError(
        `Save times must be finite and ${direction > 0 ? "increase" : "decrease"} from the initial time ${t0}, ` +
          `but ${to} follows ${from}.`,
      );
    }
    from = to;
  }
}

/** What programs take of a grid: where each step starts and ends, its signed size, and how many lie before each save. */
export interface GridTree<X> {
  /** [steps] */
  readonly t0: X;
  readonly t1: X;
  readonly h: X;
  /** int64 [saves + 1] */
  readonly offsets: X;
}

/** The inputs of a program that say where to step. */
export function gridTensors(grid: Grid, dtype: FloatDType): GridTree<Tensor> {
  const n = stepsOf(grid);
  const { times } = grid;
  const [t0, t1, h] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  for (let i = 0; i < n; i++) {
    t0[i] = times[i]!;
    t1[i] = times[i + 1]!;
    h[i] = t1[i]! - t0[i]!;
  }
  return {
    t0: tensor(dtype, [n], t0),
    t1: tensor(dtype, [n], t1),
    h: tensor(dtype, [n], h),
    offsets: tensor("int64", [grid.offsets.length], grid.offsets),
  };
}

/** Whether each step ends at a save, so that a solve needs no inner loop. */
export function savesEveryStep(grid: Grid): boolean {
  return grid.offsets.every((offset, i) => offset === i);
}
