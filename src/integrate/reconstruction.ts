import { largestOf } from "../core/largest.js";
import { numbers, type Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import type { ReversibleMethod } from "../methods/method.js";
import { type Grid, gridTensors, stepsOf } from "../programs/grid.js";
import { undoProgram } from "../programs/undo.js";
import { compileProgram, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import { relative } from "./diagnostics.js";
import type { NeuralOde } from "./neural-ode.js";
import { settingOf } from "./solve-inputs.js";

/** Undoes a solve from its end, and compares what comes out with y0. */
export async function reconstructionError(
  ode: NeuralOde,
  runtime: Runtime,
  grid: Grid,
  parameters: Tensors,
  y0: Tensor,
  end: readonly DeviceTensor[],
): Promise<number> {
  const whole: Grid = { times: grid.times, offsets: [0, stepsOf(grid)] };
  const program = undoProgram(settingOf(ode, y0.shape, whole), ode.method as ReversibleMethod);
  const undo = await compileProgram(runtime, program);
  try {
    const inputs = uploadTree(runtime, { parameters, ...gridTensors(whole, ode.dtype) });
    const reconstructed = await undo.run({ ...inputs, end });
    const back = numbers(await runtime.download(reconstructed.y0));
    const start = numbers(y0);
    const largest = largestOf(start.map(Math.abs));
    return relative(largestOf(start.map((value, i) => Math.abs(back[i]! - value))), largest);
  } finally {
    await undo.release();
  }
}
