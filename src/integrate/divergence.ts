import { numbers, scalar } from "../core/tensor.js";
import { divergenceProgram } from "../programs/divergence.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import type { Setting } from "../programs/inputs.js";
import { compileProgram, downloadTree } from "../runtime/compile-program.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Row } from "./dense-solution.js";
import { DivergenceError, NonFiniteFieldError } from "./failures.js";
import { firstNonFinite } from "./field-value.js";
import type { NeuralOde } from "./neural-ode.js";
import type { OnDevice } from "./solve-inputs.js";

/** Runs a failed solve again, up to the step where it fails. */
export async function locateDivergence(
  ode: NeuralOde,
  runtime: Runtime,
  setting: Setting,
  grid: Grid,
  inputs: OnDevice,
): Promise<DivergenceError | NonFiniteFieldError> {
  const program = await compileProgram(runtime, divergenceProgram(setting));
  try {
    const found = await downloadTree(runtime, await program.run(inputs));
    const [[finite], [yNorm]] = [numbers(found.finiteSteps), numbers(found.yNorm)];
    const time = grid.times[finite! + 1] ?? grid.times.at(-1)!;
    const stepSize = Math.abs(time - grid.times[Math.min(finite!, stepsOf(grid) - 1)]!);
    if (finite === 0) {
      const { field, dtype, state } = setting;
      const { parameters } = inputs;
      const y = (await runtime.download(inputs.y0)).data as Row;
      const t = scalar(dtype, grid.times[0]!);
      const component = await firstNonFinite(runtime, field, dtype, { t, y, state, parameters });
      const position = { time: grid.times[0]!, step: 1, stepSize, yNorm: yNorm!, accepted: 0, rejected: 0 };
      if (component !== null) return new NonFiniteFieldError(position, component);
    }
    return new DivergenceError({ time, step: finite! + 1, stepSize, yNorm: yNorm! }, ode.method.coupling);
  } finally {
    await program.release();
  }
}
