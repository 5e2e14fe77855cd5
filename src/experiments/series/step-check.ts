import { dependsOnSolver } from "../../train/fit-check.js";
import type { TrainedTask } from "../task-experiment.js";
import type { SeriesModel } from "./model.js";
import type { SampleShape, Stretch } from "./samples.js";
import { statesAt } from "./states.js";

/** What was trained held against its own equation: what its solver gives beside what shorter steps give. */
export interface StepCheck {
  /** of trajectories the mean square distance from the observations, in standard deviations, by the solver that trained it */
  readonly trainedLoss: number;
  /** the same by shorter steps */
  readonly loss: number;
  /** the largest distance of the two at the times of observations, in standard deviations; `null` of what has no observed states */
  readonly distance: number | null;
  /** what is unreliable about the fit, and what to do; `null` if the two agree */
  readonly warning: string | null;
}

const finer = 8;

/** Solves the field of a fit with steps an eighth as long, and compares loss and states. */
export async function stepCheck(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  trained: TrainedTask,
): Promise<StepCheck> {
  const own = await statesAt(setting, stretches, shape, trained);
  const fine = await statesAt(setting, stretches, { ...shape, stepSize: shape.stepSize / finer }, trained);
  let [count, ownSquares, fineSquares, distance] = [0, 0, 0, 0];
  for (const [i, { series, measured }] of stretches.entries()) {
    for (const [m, k] of measured.entries()) {
      for (const [j, { deviation }] of setting.scales.entries()) {
        const [x, y] = [own[i]![m]![j]!, fine[i]![m]![j]!];
        // a comparison that NaN must not pass
        if (!(Math.abs(x - y) / deviation <= distance)) distance = Math.abs(x - y) / deviation;
        const seen = series.values[k]![j]!;
        if (Number.isNaN(seen)) continue;
        count += 1;
        ownSquares += ((x - seen) / deviation) ** 2;
        fineSquares += ((y - seen) / deviation) ** 2;
      }
    }
  }
  const [trainedLoss, loss] = [ownSquares / count, fineSquares / count];
  const warning = !dependsOnSolver({ loss, trainedLoss, distance }, setting.dtype)
    ? null
    : `The fit depends on the errors of its solver: with steps ${finer} times as short, its loss is ${loss.toPrecision(3)} in place of ` +
      `${trainedLoss.toPrecision(3)}, and states are up to ${distance.toPrecision(2)} standard deviations away. Take a smaller ` +
      `--step-size than ${Number(shape.stepSize.toPrecision(3))}, or a --solver of higher order.`;
  return { trainedLoss, loss, distance, warning };
}
