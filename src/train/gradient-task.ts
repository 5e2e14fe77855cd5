import type { Control } from "../control/control.js";
import type { GradientTask } from "../gradients/choice.js";
import { gridOfTimes } from "../gradients/differentiator.js";
import { onStepsOf } from "../gradients/evaluate.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { type Grid, gridThrough, stepsOf } from "../programs/grid.js";
import type { Trajectories } from "./data.js";

/** Where a solve through the times of the data steps; where steps are chosen, only the times count. */
export function gridOf(
  { stepSize }: Pick<NeuralOde, "stepSize">,
  { t0, times }: Pick<Trajectories, "t0" | "times">,
  control: Control | undefined,
): Grid {
  return control === undefined ? gridThrough(t0, times, stepSize) : gridOfTimes(t0, times);
}

/** What the choice of a gradient for training depends on. */
export function gradientTask(
  ode: Pick<NeuralOde, "stepSize" | "dtype">,
  data: Trajectories,
  {
    control,
    batchSize,
    memoryBudget,
  }: {
    readonly control?: Control | undefined;
    readonly batchSize?: number | undefined;
    readonly memoryBudget?: number | undefined;
  },
): GradientTask {
  const [count, ...state] = data.y0.shape as [number, ...number[]];
  const { grid } = onStepsOf(ode, { grid: gridOf(ode, data, control) }, control);
  return {
    state: [batchSize ?? count, ...state],
    steps: control?.kind === "pid" ? null : stepsOf(grid),
    memoryBudget,
  };
}
