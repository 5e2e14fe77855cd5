import { RevortError } from "../core/errors.js";
import { DivergenceError } from "../integrate/solve.js";
import { stepsOf } from "../programs/grid.js";
import type { Differentiator, FixedInputs, TrainedInputs } from "./differentiator.js";

/** A loss or gradient that is not finite although the solve is. */
export class TrainingError extends RevortError {}

/** Why a loss is not finite: because the solve is not, or for itself. */
export async function whyNotFinite(
  loss: number,
  compiled: Pick<Differentiator, "locate">,
  trained: TrainedInputs,
  fixed: FixedInputs,
): Promise<Error> {
  const failure = await compiled.locate(trained, fixed);
  if (!(failure instanceof DivergenceError && failure.step > stepsOf(fixed.grid))) return failure;
  return new TrainingError(
    `The loss is not finite (${loss}) although the solution is: states and data are too far apart to square. ` +
      "Check the units of the data and the parameters, take another loss (l1, huber), or train in float64.",
  );
}
