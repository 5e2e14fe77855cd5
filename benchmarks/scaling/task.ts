import { batchedTask, type GradientTask } from "../gradient-task.js";

/** A perceptron 2-8-8-2 on 64 states, coupled midpoint steps, a loss at the end: 2 KiB of state (y and z) a step. */
export function scalingTask(steps: number): GradientTask {
  return batchedTask({ batch: 64, width: 8, steps, dtype: "float64" }, true);
}
