import { scalar } from "../core/tensor.js";
import type { FixedInputs } from "../gradients/differentiator.js";
import { differentiator, readScalar } from "../gradients/evaluate.js";
import { parallelDifferentiator } from "../gradients/parallel.js";
import { whyNotFinite } from "../gradients/training-error.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import {
  gradientName,
  gradientNormName,
  learningRateName,
  lossName,
  nextName,
  updateCountName,
  watchNames,
} from "../programs/names.js";
import { trainedShapes } from "../programs/train-step.js";
import { updateProgram } from "../programs/training.js";
import type { DeviceTensors } from "../runtime/runtime.js";
import { batchOf, firstBatch, type Updater, type UpdaterOptions } from "./updater.js";

/** Updates one at a time: a gradient by whatever runs it takes, then a graph that updates by it. */
export async function stepwiseUpdater(ode: NeuralOde, options: UpdaterOptions): Promise<Updater> {
  const { runtime, helpers, loss, optimiser, gradient, control, clip, trainY0, fit } = options;
  const first = batchOf(fit, firstBatch(options));
  const wanted = {
    ...{ runtime, loss, gradient, fit: first },
    ...(control === undefined ? {} : { control }),
  };
  const compiled =
    helpers.length === 0
      ? await differentiator(ode, wanted)
      : await parallelDifferentiator(ode, { ...wanted, helpers });
  const shapes = trainedShapes({ field: ode.field, state: first.y0.shape, trainY0 });
  const updater = await runtime.compile(
    updateProgram({ optimiser, shapes: shapes as Record<string, number[]>, dtype: ode.dtype, clip }),
  );
  let latest: { which: readonly number[]; fixed: FixedInputs } | null = null;
  const fixedOf = (which: readonly number[]): FixedInputs => {
    const whole = which.length === fit.y0.shape[0] && latest !== null;
    if (!whole && latest?.which !== which) latest = { which, fixed: compiled.fixed(batchOf(fit, which)) };
    return latest!.fixed;
  };
  return {
    most: 1,
    get cost() {
      return compiled.cost;
    },
    async run({ trained, memory, best }, lowest, [planned]) {
      const results = await compiled.run(trained, fixedOf(planned!.which));
      const value = await readScalar(runtime, results[lossName]!);
      const readWatch = async (name: string) =>
        name in results ? [await readScalar(runtime, results[name]!)] : null;
      const watched = {
        reconstructionErrors: await readWatch(watchNames.reconstructionError),
        drifts: await readWatch(watchNames.drift),
      };
      if (!Number.isFinite(value)) {
        return { losses: [value], gradientNorms: [Number.NaN], ...watched, after: { trained, memory, best } };
      }
      const updated = await updater.run({
        ...trained,
        ...memory,
        ...Object.fromEntries(
          Object.keys(trained).map((name) => [gradientName(name), results[gradientName(name)]!]),
        ),
        [learningRateName]: runtime.upload(scalar(ode.dtype, planned!.learningRate)),
        [updateCountName]: runtime.upload(scalar(ode.dtype, planned!.count)),
      });
      return {
        losses: [value],
        gradientNorms: [await readScalar(runtime, updated[gradientNormName]!)],
        ...watched,
        after: {
          trained: nextOf(trained, updated),
          memory: nextOf(memory, updated),
          best: value < lowest ? trained : best,
        },
      };
    },
    whyNotFinite: (value, trained, which) => whyNotFinite(value, compiled, trained, fixedOf(which)),
    async release() {
      await compiled.release();
      await updater.release();
    },
  };
}

/** The new values of what went into an update. */
export function nextOf(values: DeviceTensors, updated: DeviceTensors): DeviceTensors {
  return Object.fromEntries(Object.keys(values).map((name) => [name, updated[nextName(name)]!]));
}
