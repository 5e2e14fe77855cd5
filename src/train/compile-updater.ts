import type { Tensor } from "../core/tensor.js";
import { byPath, leavesOf } from "../core/tree.js";
import type { Graph, ValueType } from "../graph/graph.js";
import type { SampledType } from "../programs/objective.js";
import type { BatchCost } from "../runtime/threads.js";
import { graphUpdater, updatesOf } from "./graph-updater.js";
import { partPays, partsThatPay } from "./parts-that-pay.js";
import { partsUpdater } from "./parts-updater.js";
import type { Updater, UpdaterOptions } from "./updater.js";

/**
 * Compiles updates of an objective: as one graph that does many in a run, or as the gradients of parts of a batch, which
 * threads can take, and an update by their sum. Parts that are not alike, or that train arrays of their own, are no loop of
 * a graph either.
 *
 * Which of the two it is depends on the work alone, never on how many threads there are: so numbers do not, either.
 *
 * @throws {SplitError} if the batch has fewer samples than parts
 */
export async function compileUpdater(options: UpdaterOptions): Promise<Updater> {
  const { helpers, parts, batchSize, threads } = options;
  if (helpers.length > 0) return partsUpdater({ ...options, parts: parts ?? helpers.length + 1 });
  if (parts !== null && parts > 1) {
    const whole = threads && costsOf(updatesOf({ ...options, parts: 1 }).program.graph, options);
    if (whole !== null && partPays(whole, parts)) return partsUpdater({ ...options, parts });
    return isLoop(options, parts)
      ? graphUpdater(options)
      : partsUpdater({ ...options, parts, threads: null });
  }
  if (parts === 1 || threads === null || batchSize === 1) return graphUpdater({ ...options, parts: 1 });
  const whole = { ...options, parts: 1 };
  const updates = updatesOf(whole);
  const costs = costsOf(updates.program.graph, options);
  const found = costs.length === 0 ? 1 : partsThatPay(costs, batchSize);
  return found > 1 && (await options.isMean(found))
    ? partsUpdater({ ...options, parts: found })
    : graphUpdater(whole, updates);
}

/** Whether parts of a batch can be taken by a loop of a graph. */
function isLoop({ objectiveOf, batchSize }: UpdaterOptions, parts: number): boolean {
  const trained = leavesOf<ValueType>(objectiveOf(batchSize).trained);
  return (
    batchSize % parts === 0 && trained.every((type) => (type as Partial<SampledType>).axis === undefined)
  );
}

/** What an update costs, which steps as its setup says. */
function costsOf(graph: Graph, { threads, setup, runtime }: UpdaterOptions): readonly BatchCost[] {
  return threads?.costsOf(graph, byPath<Tensor>(setup), runtime.name) ?? [];
}
