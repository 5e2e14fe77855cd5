import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { mul, neg } from "../ops/arithmetic.js";
import type { Optimiser } from "./optimisers.js";

/** Parameters that are updated otherwise than the rest. */
export interface ParameterGroup {
  /** which they are, by their names in the model */
  readonly match: (name: string) => boolean;
  /** what their learning rate is multiplied by */
  readonly rate?: number;
  /** whether they raise the loss in place of lowering it, as the discriminator of an adversarial pair */
  readonly ascends?: boolean;
  /** what is made of a parameter after each update: within bounds, say */
  readonly project?: (b: Builder, parameter: Value) => Value;
}

/**
 * An optimiser that updates some parameters otherwise. A parameter is in the first group that matches it, or in none. One
 * gradient serves all, so that two players of a game move at once: those that lower the loss, and those that raise it.
 */
export function inGroups(optimiser: Optimiser, groups: readonly ParameterGroup[]): Optimiser {
  return {
    ...optimiser,
    update(b, inputs) {
      const group = groups.find(({ match }) => match(inputs.name));
      if (group === undefined) return optimiser.update(b, inputs);
      const { rate = 1, ascends = false, project = (_: Builder, parameter: Value) => parameter } = group;
      const { parameter, memory } = optimiser.update(b, {
        ...inputs,
        gradient: ascends ? neg(b, inputs.gradient) : inputs.gradient,
        learningRate: rate === 1 ? inputs.learningRate : mul(b, inputs.learningRate, rate),
      });
      return { parameter: project(b, parameter), memory };
    },
  };
}
