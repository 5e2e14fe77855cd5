import type { NeuralOde } from "../integrate/neural-ode.js";
import { locateDivergence, pick } from "../integrate/solve.js";
import { type GraphGradient, storedStates, undoEvaluations } from "../programs/gradient.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import { gradientProgram } from "../programs/training.js";
import {
  type Costs,
  type DifferentiatorOptions,
  evaluationsOf,
  fixedInputs,
  type GradientWork,
  type GridDifferentiator,
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
): Promise<GridDifferentiator> {
  const { runtime, fit, times = false } = options;
  const setting = lossSetting(ode, options);
  const executable = await runtime.compile(gradientProgram(setting, gradient));
  const costOn = (grid: Grid): Costs => costsOf(ode, gradient, grid, times);
  return {
    ...costOn(fit.grid),
    costOn,
    fixed: (data) => fixedInputs(ode, runtime, data, times),
    run: (trained, fixed) => executable.run(pick({ ...fixed.tensors, ...trained }, executable.inputs)),
    locate: (trained, { grid, tensors }) =>
      locateDivergence(ode, runtime, setting, grid, { ...tensors, ...trained }),
    release: () => executable.release(),
  };
}

/** What a gradient of one graph costs. */
export function costsOf(ode: NeuralOde, gradient: GraphGradient, grid: Grid, times = false): Costs {
  const steps = stepsOf(grid);
  const work = workOf(ode, gradient, steps, times);
  return {
    cost: { steps, evaluations: evaluationsOf(work), storedStates: storedStates(gradient, steps) },
    work,
  };
}

function workOf({ method }: NeuralOde, gradient: GraphGradient, steps: number, times: boolean): GradientWork {
  const forward = method.evaluations * steps;
  const back = gradient === "reversible" ? undoEvaluations(method, times) : method.evaluations;
  return { forward, recomputed: 0, backward: back * steps, runs: 1 };
}
