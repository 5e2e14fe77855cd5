import type { NeuralOde } from "../integrate/neural-ode.js";
import { oneGraphUpdater } from "./one-graph-updater.js";
import { stepwiseUpdater } from "./stepwise-updater.js";
import type { Updater, UpdaterOptions } from "./updater.js";

/**
 * Compiles updates: as one graph that does many in a run, or, where steps are chosen by their error or the batch is
 * split among threads, as a gradient and an update by it.
 *
 * @throws as `differentiator` does
 */
export function compileUpdater(ode: NeuralOde, options: UpdaterOptions): Promise<Updater> {
  if (options.helpers.length > 0 || options.control?.kind === "pid") return stepwiseUpdater(ode, options);
  return oneGraphUpdater(ode, options);
}
