import { largestOf } from "../core/largest.js";
import { numbers, type Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import type { ReversibleMethod } from "../methods/method.js";
import { type Grid, gridTensors, stepsOf } from "../programs/grid.js";
import { reconstructedName, stateName, y0Name } from "../programs/names.js";
import { undoProgram } from "../programs/undo.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import { relative } from "./judgement.js";
import type { NeuralOde } from "./neural-ode.js";
import { named, pick, settingOf, upload } from "./problem.js";

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
  const executable = await runtime.compile(
    undoProgram(settingOf(ode, y0.shape, whole), ode.method as ReversibleMethod),
  );
  try {
    const inputs = {
      ...upload(runtime, { ...named(parameters), ...gridTensors(whole, ode.dtype), [y0Name]: y0 }),
      ...Object.fromEntries(end.map((value, k) => [stateName(k), value])),
    };
    const results = await executable.run(pick(inputs, executable.inputs));
    const back = numbers(await runtime.download(results[reconstructedName]!));
    const start = numbers(y0);
    const largest = largestOf(start.map(Math.abs));
    return relative(largestOf(start.map((value, i) => Math.abs(back[i]! - value))), largest);
  } finally {
    await executable.release();
  }
}
