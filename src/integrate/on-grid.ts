import { largestOf } from "../core/largest.js";
import { numbers, type Tensor } from "../core/tensor.js";
import { isReversible } from "../methods/method.js";
import { type Grid, gridTensors, stepsOf } from "../programs/grid.js";
import { solveProgram } from "../programs/solve.js";
import { compileProgram, handOverTree, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensor } from "../runtime/runtime.js";
import { relative, withDiagnostics } from "./diagnostics.js";
import { locateDivergence } from "./divergence.js";
import { MaxStepsError, SolveAbortedError } from "./failures.js";
import { checkSolveMemory } from "./memory.js";
import type { NeuralOde } from "./neural-ode.js";
import { reconstructionError } from "./reconstruction.js";
import type { CheckedRequest } from "./request.js";
import type { Solution } from "./solution.js";
import { settingOf } from "./solve-inputs.js";
import { rootMeanSquare } from "./stepper-request.js";

/** A solve whose steps are known beforehand and hit all saves: one run of one graph. */
export async function solveOnGrid(ode: NeuralOde, request: CheckedRequest, grid: Grid): Promise<Solution> {
  const { options, parameters, y0, spans } = request;
  const { runtime, checkReconstruction = false, maxSteps, signal } = options;
  const { method, dtype } = ode;
  const { saveAt } = spans[0]!;
  const steps = stepsOf(grid);
  if (maxSteps !== undefined && steps > maxSteps) {
    const position = { time: grid.times[0]!, step: 1, stepSize: ode.stepSize };
    throw new MaxStepsError(position, maxSteps, saveAt.at(-1)!, null, steps);
  }
  if (signal?.aborted) throw new SolveAbortedError(grid.times[0]!, saveAt.at(-1)!, signal.reason);
  checkSolveMemory(ode, runtime, { state: y0.shape, steps, saves: saveAt.length });
  const setting = settingOf(ode, y0.shape, grid);
  const undoes = checkReconstruction && isReversible(method);
  const { saves, everyStep } = setting;
  const key = [runtime, ode.field, method, dtype, y0.shape.join(), saves, everyStep, undoes];
  const make = () => compileProgram(runtime, solveProgram(setting, undoes));
  return ode.cache.use(key, make, async (program) => {
    const inputs = {
      ...uploadTree(runtime, { parameters, y0 }),
      ...handOverTree(runtime, gridTensors(grid, dtype)),
    };
    const results = await program.run(inputs);
    const ys = await runtime.download(results.ys);
    if (!allFinite(ys)) throw await locateDivergence(ode, runtime, setting, grid, inputs);
    const largest = async (values: DeviceTensor, start: number) =>
      Math.max(start, largestOf(numbers(await runtime.download(values))));
    const { pair, end } = results;
    const size = pair === null ? 0 : await largest(pair.size, rootMeanSquare(numbers(y0)));
    const stats = {
      steps,
      accepted: steps,
      rejected: 0,
      evaluations: method.evaluations * steps,
      drift: pair === null ? null : relative(await largest(pair.drift, 0), size),
      reconstructionError:
        end === null ? null : await reconstructionError(ode, runtime, grid, parameters, y0, end),
    };
    const found = { ts: [...saveAt], ys, grid, placement: null, dense: null, events: [], stats, size };
    return await withDiagnostics(ode, request, found);
  });
}

function allFinite(value: Tensor): boolean {
  return (value.data as Float64Array).every(Number.isFinite);
}
