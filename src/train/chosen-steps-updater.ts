import { type Branch, byPath, mapTree } from "../core/tree.js";
import type { Differentiator, FixedInputs, TrainedInputs } from "../gradients/differentiator.js";
import { readScalar } from "../gradients/evaluate.js";
import type { DeviceTensor } from "../runtime/runtime.js";
import { applying } from "./applying.js";
import type { Batch, Updater, UpdaterOptions } from "./updater.js";

/**
 * Updates whose steps are chosen anew for each: a gradient by whatever runs it takes, then a graph that updates by it.
 *
 * @param fixedOf  what a gradient takes beside what is trained, for the trajectories of an update
 */
export async function chosenStepsUpdater(
  compiled: Differentiator,
  fixedOf: (batch: Batch) => FixedInputs,
  { runtime, objectiveOf, batchSize, ...setting }: UpdaterOptions,
): Promise<Updater> {
  const { trained: types } = objectiveOf(batchSize);
  const apply = await applying(runtime, setting, types);
  return {
    most: 1,
    async run(from, lowest, [planned]) {
      const results = await compiled.run(trainedIn(from.trained), fixedOf(planned!));
      const loss = await readScalar(runtime, results.loss);
      const watched = async (value: DeviceTensor | null) => value && [await readScalar(runtime, value)];
      const seen = {
        reconstructionErrors: await watched(results.reconstructionError),
        drifts: await watched(results.drift),
        residuals: null,
      };
      if (!Number.isFinite(loss))
        return { losses: [loss], gradientNorms: [Number.NaN], ...seen, after: from };
      const known = byPath<DeviceTensor>(results.gradients);
      const gradients: Branch = mapTree(types, (_, path) => known[path]!);
      return { ...seen, ...(await apply.run(from, lowest, { loss, gradients, planned: planned! })) };
    },
    async release() {
      await compiled.release();
      await apply.release();
    },
  };
}

/** What is trained, as a gradient takes it. */
export function trainedIn(tree: Branch): TrainedInputs {
  return tree as unknown as TrainedInputs;
}
