import { scalar, type Tensor } from "../src/core/tensor.js";
import { type Branch, byPath, mapTree } from "../src/core/tree.js";
import { differentiator, readScalar, type TrainedInputs } from "../src/gradients/evaluate.js";
import type { GradientSpec } from "../src/gradients/method.js";
import { mse } from "../src/learning/losses.js";
import { adamw } from "../src/learning/optimisers.js";
import { inputType } from "../src/programs/program.js";
import { memoryOf, updateProgram } from "../src/programs/update.js";
import { compileProgram, uploadTree } from "../src/runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../src/runtime/runtime.js";
import { emptyMemory } from "../src/train/checkpoint.js";
import type { GradientTask } from "./gradient-task.js";

/** An update of the parameters, ready to run: the gradient, the loss on the host, and AdamW. */
export interface CompiledUpdate {
  /** seconds from the graph to the first update */
  readonly start: number;
  /** the loss before the first update */
  readonly loss: number;
  /** one update; the loss before it */
  readonly run: () => Promise<number>;
}

/** Compiles what `train` runs for each of its updates. */
export async function compileUpdate(
  { ode, fit, parameters }: GradientTask,
  runtime: Runtime,
  gradient: GradientSpec,
): Promise<CompiledUpdate> {
  const started = performance.now();
  const { dtype } = ode;
  const compiled = await differentiator(ode, { runtime, loss: mse(), gradient, fit });
  const types = { parameters: mapTree(parameters, (leaf) => inputType(dtype, (leaf as Tensor).shape)) };
  const setting = { optimiser: adamw(), dtype, clip: null };
  const updater = await compileProgram(runtime, updateProgram(setting, types));
  const fixed = compiled.fixed(fit);
  let trained: Branch = uploadTree(runtime, { parameters });
  let memory: Branch = uploadTree(runtime, emptyMemory(memoryOf(setting.optimiser, types), dtype));
  let count = 0;
  const run = async () => {
    const results = await compiled.run(trained as unknown as TrainedInputs, fixed);
    const loss = await readScalar(runtime, results.loss);
    const gradients = byPath<DeviceTensor>(results.gradients);
    const updated = await updater.run({
      ...trained,
      memory,
      gradients: mapTree(types, (_, path) => gradients[path]!),
      learningRate: runtime.upload(scalar(dtype, 1e-4)),
      count: runtime.upload(scalar(dtype, ++count)),
    });
    const { memory: remembered, ...next } = updated.next as Branch;
    [trained, memory] = [next, remembered as Branch];
    return loss;
  };
  const loss = await run();
  return { start: (performance.now() - started) / 1000, loss, run };
}
