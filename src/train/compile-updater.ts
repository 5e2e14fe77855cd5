import { chooseGradient } from "../gradients/choice.js";
import { onStepsOf } from "../gradients/evaluate.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { stepsOf } from "../programs/grid.js";
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
  const { grid } = onStepsOf(options.fit, options.control);
  const state = [options.batchSize, ...options.fit.y0.shape.slice(1)];
  const { gradient } = chooseGradient(ode, options.gradient, { state, steps: stepsOf(grid) });
  return oneGraphUpdater(ode, gradient, options);
}
