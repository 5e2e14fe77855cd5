import { type FloatDType, numbers, scalar } from "../core/tensor.js";
import type { Branch } from "../core/tree.js";
import type { Optimiser } from "../learning/optimisers.js";
import { updateProgram } from "../programs/update.js";
import { readFrom } from "../programs/updates.js";
import { compileProgram } from "../runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import type { Planned, Standing } from "./updater.js";

/** A loss and its gradient, found by other runs. */
export interface FoundGradient {
  readonly loss: number;
  readonly gradients: Branch;
  readonly planned: Planned;
}

/** Compiles updates by gradients that other runs find, one at a time. */
export async function applying(
  runtime: Runtime,
  setting: {
    readonly optimiser: Optimiser;
    readonly clip: number | null;
    readonly dtype: FloatDType;
    readonly keepsBest: boolean;
  },
  trainedTypes: Branch,
) {
  const { dtype, keepsBest } = setting;
  const compiled = await compileProgram(runtime, updateProgram(setting, trainedTypes));
  return {
    async run(from: Standing, lowest: number, { loss, gradients, planned }: FoundGradient) {
      const { trained, memory, best } = from;
      const results = await compiled.run({
        ...trained,
        ...{ memory, gradients },
        learningRate: runtime.upload(scalar(dtype, planned.learningRate)),
        count: runtime.upload(scalar(dtype, planned.count)),
      });
      const norm = await runtime.download(results.gradientNorm as DeviceTensor);
      const next = readFrom({ trained, buffers: {}, memory }, results.next as Branch);
      const after: Standing = {
        ...from,
        ...{ trained: next.trained, memory: next.memory },
        best: keepsBest && loss < lowest ? trained : best,
      };
      return { losses: [loss], gradientNorms: [numbers(norm)[0]!], after };
    },
    release: () => compiled.release(),
  };
}
