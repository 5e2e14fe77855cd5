import type { Builder } from "../graph/builder.js";
import { continuousGradient } from "./backward-continuous.js";
import type { BackwardInputs, DifferentiableSolve } from "./backward-step.js";
import { checkpointGradient } from "./checkpoint-gradient.js";
import { directGradient, type GraphGradient, reversibleGradient } from "./gradient.js";
import type { Setting } from "./inputs.js";
import { refreshGradient } from "./refresh-gradient.js";
import type { ScheduledInputs } from "./scheduled.js";

/**
 * A solve that can be differentiated, by any method.
 *
 * @throws {GradientMethodError} if the method of the setting cannot be differentiated this way
 */
export function differentiableSolve(
  b: Builder,
  gradient: GraphGradient,
  setting: Setting,
  inputs: BackwardInputs,
): DifferentiableSolve {
  switch (gradient) {
    case "reversible":
      return reversibleGradient(b, setting, inputs);
    case "direct":
      return directGradient(b, setting, inputs);
    case "continuous":
      return continuousGradient(b, setting, inputs);
    case "checkpoint":
      return checkpointGradient(b, setting, inputs as ScheduledInputs);
    case "refresh":
      return refreshGradient(b, setting, inputs as ScheduledInputs);
  }
}
