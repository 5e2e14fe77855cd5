import type { NeuralOde } from "../integrate/neural-ode.js";
import { locateDivergence, pick } from "../integrate/solve.js";
import { isReversible } from "../methods/method.js";
import type { GraphGradient } from "../programs/gradient.js";
import { stepsOf } from "../programs/grid.js";
import { gradientProgram } from "../programs/training.js";
import {
  type Differentiator,
  type DifferentiatorOptions,
  fixedInputs,
  type GradientCost,
  lossSetting,
} from "./differentiator.js";

/**
 * Compiles a gradient that is one graph.
 *
 * @throws {GradientMethodError} if the method of the equation cannot be differentiated this way
 */
export async function oneGraph(
  ode: NeuralOde,
  gradient: GraphGradient,
  options: DifferentiatorOptions,
): Promise<Differentiator> {
  const { runtime, fit, times = false } = options;
  const setting = lossSetting(ode, options);
  const executable = await runtime.compile(gradientProgram(setting, gradient));
  return {
    cost: costOf(ode, gradient, stepsOf(fit.grid), times),
    fixed: (data) => fixedInputs(ode, runtime, data),
    run: (trained, fixed) => executable.run(pick({ ...fixed.tensors, ...trained }, executable.inputs)),
    locate: (trained, { grid, tensors }) =>
      locateDivergence(ode, runtime, setting, grid, { ...tensors, ...trained }),
    release: () => executable.release(),
  };
}

function costOf({ method }: NeuralOde, gradient: GraphGradient, steps: number, times: boolean): GradientCost {
  const forward = method.evaluations * steps;
  const undone = gradient === "reversible" && isReversible(method);
  const recomputed = undone && times ? method.backEvaluations * steps : 0;
  const backward = undone && !times ? method.backEvaluations * steps : forward;
  return {
    steps,
    evaluations: forward + recomputed + backward,
    forward,
    recomputed,
    backward,
    storedStates: gradient === "direct" ? steps + 1 : 1,
    runs: 1,
  };
}
