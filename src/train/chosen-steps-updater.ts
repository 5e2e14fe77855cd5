import { numbers } from "../core/tensor.js";
import { type Branch, mapTree, pathsOf } from "../core/tree.js";
import type { Differentiator, FixedInputs } from "../gradients/differentiator.js";
import { gradientName, lossName, watchNames } from "../programs/names.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
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
      const results = await compiled.run(byPathOnDevice(from.trained), fixedOf(planned!));
      const loss = await readScalar(runtime, results, lossName);
      const watched = async (name: string) =>
        name in results ? [await readScalar(runtime, results, name)] : null;
      const seen = {
        reconstructionErrors: await watched(watchNames.reconstructionError),
        drifts: await watched(watchNames.drift),
        residuals: null,
      };
      if (!Number.isFinite(loss))
        return { losses: [loss], gradientNorms: [Number.NaN], ...seen, after: from };
      const gradients: Branch = mapTree(types, (_, path) => results[gradientName(path)]!);
      return { ...seen, ...(await apply.run(from, lowest, { loss, gradients, planned: planned! })) };
    },
    async release() {
      await compiled.release();
      await apply.release();
    },
  };
}

/** What is trained, as a gradient takes it. */
export function byPathOnDevice(tree: Branch): DeviceTensors {
  return Object.fromEntries(pathsOf(tree)) as DeviceTensors;
}

async function readScalar(runtime: Runtime, results: DeviceTensors, name: string): Promise<number> {
  return numbers(await runtime.download(results[name]!))[0]!;
}
