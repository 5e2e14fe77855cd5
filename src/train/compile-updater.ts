import { leavesOf } from "../core/tree.js";
import type { ValueType } from "../graph/graph.js";
import type { SampledType } from "../programs/objective.js";
import { graphUpdater } from "./graph-updater.js";
import { partsUpdater } from "./parts-updater.js";
import type { Updater, UpdaterOptions } from "./updater.js";

/**
 * Compiles updates of an objective: as one graph that does many in a run, or, where there are threads, as the gradients of
 * parts of a batch and an update by their sum. Parts that are not alike, or that train arrays of their own, are no loop of
 * a graph either.
 *
 * @throws {SplitError} if the batch has fewer samples than parts
 */
export function compileUpdater(options: UpdaterOptions): Promise<Updater> {
  const { helpers, parts, batchSize, objectiveOf } = options;
  if (helpers.length > 0) return partsUpdater(options);
  if (parts === null || parts === 1) return graphUpdater(options);
  const trained = leavesOf<ValueType>(objectiveOf(batchSize).trained);
  const shared = trained.every((type) => (type as Partial<SampledType>).axis === undefined);
  return shared && batchSize % parts === 0 ? graphUpdater(options) : partsUpdater(options);
}
