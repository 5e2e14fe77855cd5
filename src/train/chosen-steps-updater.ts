import { type Branch, byPath, mapTree } from "../core/tree.js";
import type { Differentiator, FixedInputs, TrainedInputs } from "../gradients/differentiator.js";
import { readScalar } from "../gradients/evaluate.js";
import type { Observed } from "../programs/objective.js";
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
  const objective = objectiveOf(batchSize);
  const types = objective.trained;
  const apply = await applying(runtime, setting, types);
  return {
    ...{ most: 1, ran: { runtime: runtime.name, threads: 1, parts: 1 } },
    async run(from, lowest, [planned]) {
      const results = await compiled.run(trainedIn(from.trained), fixedOf(planned!));
      const loss = await readScalar(runtime, results.loss);
      const seen: Observed<DeviceTensor | null> = results;
      const observed: Record<string, number[]> = {};
      for (const name of objective.observes) observed[name] = [await readScalar(runtime, seen[name]!)];
      if (!Number.isFinite(loss)) {
        return { losses: [loss], gradientNorms: [Number.NaN], observed, after: from };
      }
      const known = byPath<DeviceTensor>(results.gradients);
      const gradients: Branch = mapTree(types, (_, path) => known[path]!);
      return { observed, ...(await apply.run(from, lowest, { loss, gradients, planned: planned! })) };
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
