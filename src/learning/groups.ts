import { type FloatDType, type Tensor, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, neg, sub } from "../ops/arithmetic.js";
import type { Optimiser } from "./optimisers.js";

/** Parameters that are updated otherwise than the rest. */
export interface ParameterGroup {
  /** which they are, by their names in the model */
  readonly match: (name: string) => boolean;
  /** what their learning rate is multiplied by */
  readonly rate?: number;
  /** in which they are updated, so that steps and weight decay are those of p / unit; 1 by default */
  readonly unit?: number;
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
      const { rate = 1, unit = 1, ascends = false, project } = group;
      const times = (value: Value, factor: number) => (factor === 1 ? value : mul(b, value, factor));
      const { parameter, memory } = optimiser.update(b, {
        ...inputs,
        parameter: unit === 1 ? inputs.parameter : div(b, inputs.parameter, unit),
        gradient: times(ascends ? neg(b, inputs.gradient) : inputs.gradient, unit),
        learningRate: times(inputs.learningRate, rate),
      });
      const updated = times(parameter, unit);
      return { parameter: project === undefined ? updated : project(b, updated), memory };
    },
  };
}

/**
 * An optimiser that updates one parameter p in units of its own, as z of p = m + s z: steps of an adaptive optimiser are in
 * units of s, and weight decay leads to m.
 *
 * @param origin  m, of the shape of the parameter
 * @param units  s, as many as its last dimension has
 */
export function inUnits(
  optimiser: Optimiser,
  {
    name,
    origin,
    units,
  }: { readonly name: string; readonly origin: Tensor; readonly units: readonly number[] },
): Optimiser {
  return {
    ...optimiser,
    update(b, inputs) {
      const { parameter, gradient } = inputs;
      // a parameter of a field may have its name
      const isIt = inputs.name === name && parameter.shape.join() === origin.shape.join();
      if (!isIt) return optimiser.update(b, inputs);
      const dtype = parameter.dtype as FloatDType;
      const m = b.constant(tensor(dtype, origin.shape, Array.from(origin.data, Number)));
      const s = b.constant(tensor(dtype, [units.length], units));
      const { parameter: z, memory } = optimiser.update(b, {
        ...inputs,
        parameter: div(b, sub(b, parameter, m), s),
        gradient: mul(b, gradient, s),
      });
      return { parameter: add(b, m, mul(b, z, s)), memory };
    },
  };
}
