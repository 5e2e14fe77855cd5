import { locateDivergence } from "../integrate/divergence.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { adjointFor } from "../programs/adjoints.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import { gradientProgram } from "../programs/training.js";
import { undoEvaluations } from "../programs/undo-evaluations.js";
import { compileProgram, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensor } from "../runtime/runtime.js";
import {
  type Costs,
  type DifferentiatorOptions,
  evaluationsOf,
  fixedInputs,
  type GradientWork,
  type GridDifferentiator,
  type GridInputs,
  gridInputs,
  lossSetting,
  solveInputsOf,
} from "./differentiator.js";
import { checkGradientMemory } from "./memory.js";
import type { GradientMethod } from "./method.js";
import { graphGradientOf } from "./method.js";

/**
 * Compiles a gradient on given steps: one graph.
 *
 * @throws {GradientMethodError} if the method of the equation cannot be differentiated this way
 */
export async function oneGraph(
  ode: NeuralOde,
  method: GradientMethod,
  options: DifferentiatorOptions,
): Promise<GridDifferentiator> {
  const { runtime, fit, times = false } = options;
  const setting = lossSetting(ode, options);
  const costs = costsOf(ode, method, fit.grid, times);
  checkGradientMemory(ode, runtime, method, { fit, ...costs.cost });
  const program = await compileProgram(runtime, gradientProgram(setting, graphGradientOf(method)));
  const costOn = (grid: Grid): Costs => costsOf(ode, method, grid, times);
  return {
    ...costs,
    gradient: method,
    costOn,
    gridInputs: (grid) =>
      uploadTree(runtime, gridInputs(ode, grid, { times, method })) as GridInputs<DeviceTensor>,
    fixed: (data) => fixedInputs(ode, runtime, data, { times, method }),
    run: (trained, { inputs }) => program.run({ ...inputs, ...trained }),
    locate: (trained, own) => locateDivergence(ode, runtime, setting, own.grid, solveInputsOf(trained, own)),
    release: () => program.release(),
  };
}

/** What a gradient of one graph costs. */
export function costsOf({ method }: NeuralOde, gradient: GradientMethod, grid: Grid, times = false): Costs {
  const steps = stepsOf(grid);
  const adjoint = adjointFor(gradient);
  const { states, again } = adjoint.cost(gradient, steps);
  const back = adjoint.undoes ? undoEvaluations(method, times) : method.evaluations;
  const work: GradientWork = {
    forward: method.evaluations * steps,
    recomputed: method.evaluations * again,
    backward: back * steps,
    runs: 1,
  };
  return { cost: { steps, evaluations: evaluationsOf(work), storedStates: states }, work };
}
