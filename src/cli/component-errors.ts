import { numbers } from "../core/tensor.js";
import { componentNames } from "../fields/components.js";
import { SolveError } from "../integrate/failures.js";
import { solve } from "../integrate/solve.js";
import type { Runtime } from "../runtime/runtime.js";
import type { TrainResult } from "../train/train.js";
import type { Problem } from "./problem.js";

/** How far a fit is from what was observed of one component. */
export interface ComponentError {
  readonly component: string;
  /** √(mean (fit − observation)²), in the unit of the observations */
  readonly rootMeanSquare: number;
  /** the same in the standard deviation by which the loss divides the component; `null` where it does not */
  readonly inDeviations: number | null;
}

/**
 * The error of each component that was observed, by the solver that trained it and at the trained parameters: after the
 * last update, where the losses are before theirs. `null` where the solver does not get to its end.
 */
export async function componentErrors(
  { ode, data, control, experiment }: Problem,
  { parameters, y0 }: Pick<TrainResult, "parameters" | "y0">,
  runtime: Runtime,
): Promise<readonly ComponentError[] | null> {
  const request = { runtime, parameters, y0, t0: data.t0, saveAt: data.times };
  let fitted: number[];
  try {
    fitted = numbers((await solve(ode, control === null ? request : { ...request, control })).ys);
  } catch (error) {
    if (error instanceof SolveError) return null;
    throw error;
  }
  const observed = numbers(data.observations);
  const names = componentNames(ode.field);
  const apart = names.map((): number[] => []);
  for (const [i, value] of observed.entries()) {
    if (!Number.isNaN(value)) apart[i % names.length]!.push(Math.abs(fitted[i]! - value));
  }
  return names.flatMap((component, i) => {
    if (apart[i]!.length === 0) return [];
    const rootMeanSquare = rootMeanSquareOf(apart[i]!);
    const scale = experiment.lossScale?.[i];
    return [{ component, rootMeanSquare, inDeviations: scale === undefined ? null : rootMeanSquare / scale }];
  });
}

/** In units of the largest, so that squares stay among the numbers. */
function rootMeanSquareOf(sizes: readonly number[]): number {
  const largest = sizes.reduce((most, size) => Math.max(most, size), 0) || 1;
  return largest * Math.sqrt(sizes.reduce((sum, size) => sum + (size / largest) ** 2, 0) / sizes.length);
}
