import { numbers } from "../../core/tensor.js";
import type { Tensors } from "../../fields/field.js";
import { predict } from "../../models/measuring.js";
import type { TrainedTask } from "../task-experiment.js";
import { type SeriesModel, startNames, trajectoryModel } from "./model.js";
import { mostSteps, type SampleShape, type Stretch, samplesOf, stepsOf } from "./samples.js";

/** States of each stretch at what is measured of it: [stretches][measured][components]. */
export async function statesAt(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  { runtime, dtype, parameters }: Pick<TrainedTask, "runtime" | "dtype" | "parameters">,
): Promise<number[][][]> {
  const steps = mostSteps(stretches, shape.stepSize);
  const { target: _, weight: __, ...inputs } = samplesOf(stretches, { ...shape, steps });
  const model = trajectoryModel(setting, steps);
  const found = await predict(model, inputs, {
    runtime,
    dtype,
    parameters: parametersIn(setting, parameters),
  });
  const all = numbers(found.states!);
  const dim = setting.scales.length + setting.hidden;
  return stretches.map((stretch, i) =>
    stepsOf(stretch, shape.stepSize).places.map((place) => {
      const from = (i * steps + place) * dim;
      return all.slice(from, from + dim);
    }),
  );
}

/** Parameters that a model has: without those of the initial states of other trajectories. */
export function parametersIn({ starts }: SeriesModel, parameters: Tensors): Tensors {
  if (starts > 0) return parameters;
  const { [startNames.change]: _, ...rest } = parameters;
  return rest;
}
