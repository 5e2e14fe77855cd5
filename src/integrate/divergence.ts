import { numbers, scalar } from "../core/tensor.js";
import { divergenceProgram } from "../programs/divergence.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import type { Setting } from "../programs/inputs.js";
import { finiteStepsName, y0Name, yNormName } from "../programs/names.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { Row } from "./dense-solution.js";
import { DivergenceError, NonFiniteFieldError } from "./failures.js";
import { firstNonFinite } from "./field-value.js";
import type { NeuralOde } from "./neural-ode.js";
import { pick } from "./problem.js";

/** Runs a failed solve again, up to the step where it fails. */
export async function locateDivergence(
  ode: NeuralOde,
  runtime: Runtime,
  setting: Setting,
  grid: Grid,
  inputs: DeviceTensors,
): Promise<DivergenceError | NonFiniteFieldError> {
  const executable = await runtime.compile(divergenceProgram(setting));
  try {
    const results = await executable.run(pick(inputs, executable.inputs));
    const [finite] = numbers(await runtime.download(results[finiteStepsName]!));
    const [yNorm] = numbers(await runtime.download(results[yNormName]!));
    const time = grid.times[finite! + 1] ?? grid.times.at(-1)!;
    const stepSize = Math.abs(time - grid.times[Math.min(finite!, stepsOf(grid) - 1)]!);
    if (finite === 0) {
      const { field, dtype, state } = setting;
      const y = (await runtime.download(inputs[y0Name]!)).data as Row;
      const t = scalar(dtype, grid.times[0]!);
      const component = await firstNonFinite(runtime, field, dtype, { t, y, state, parameters: inputs });
      const standing = { time: grid.times[0]!, step: 1, stepSize, yNorm: yNorm!, accepted: 0, rejected: 0 };
      if (component !== null) return new NonFiniteFieldError(standing, component);
    }
    return new DivergenceError({ time, step: finite! + 1, stepSize, yNorm: yNorm! }, ode.method.coupling);
  } finally {
    await executable.release();
  }
}
