import { emptyData, numbers, scalar, type Tensor, tensor } from "../core/tensor.js";
import { type Fit, fixedInputs, lossSetting } from "../gradients/differentiator.js";
import { onStepsOf } from "../gradients/evaluate.js";
import { checkGradientMemory } from "../gradients/memory.js";
import { costsOf } from "../gradients/one-graph.js";
import { graphGradientOf } from "../gradients/plan.js";
import { whyNotFinite } from "../gradients/training-error.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { locateDivergence, pick } from "../integrate/solve.js";
import {
  batchesName,
  bestLossName,
  bestName,
  nextName,
  perUpdateNames,
  updateCountName,
  updatesName,
} from "../programs/names.js";
import { updatesProgram } from "../programs/train-step.js";
import type { DeviceTensors } from "../runtime/runtime.js";
import { nextOf } from "./stepwise-updater.js";
import { batchOf, firstBatch, type Planned, type Updater, type UpdaterOptions } from "./updater.js";

/** How many updates a graph is made for: it may do fewer. */
const mostUpdates = 1024;
/** How many indices of trajectories may go in with a run. */
const mostIndices = 1 << 16;

/** Updates as one graph, with what is trained, the memory and the data on the device throughout. */
export async function oneGraphUpdater(ode: NeuralOde, options: UpdaterOptions): Promise<Updater> {
  const { runtime, loss, optimiser, gradient, clip, trainY0, batchSize, control } = options;
  const { dtype } = ode;
  const whole: Fit = onStepsOf(ode, options.fit, control);
  const first = batchOf(whole, firstBatch(options));
  const { cost } = costsOf(ode, gradient, whole.grid);
  checkGradientMemory(ode, runtime, gradient, { fit: first, ...cost });
  const setting = lossSetting(ode, {
    loss,
    fit: first,
    ...(control === undefined ? {} : { control }),
  });
  const count = whole.y0.shape[0]!;
  const trajectories = batchSize === count ? null : count;
  const most =
    trajectories === null
      ? mostUpdates
      : Math.max(1, Math.min(mostUpdates, Math.floor(mostIndices / batchSize)));
  const executable = await runtime.compile(
    updatesProgram(
      { ...setting, gradient: graphGradientOf(gradient), optimiser, clip, trainY0, trajectories },
      most,
    ),
  );
  const fixed = fixedInputs(ode, runtime, whole, { times: false, method: gradient });

  const inputsFor = (plan: readonly Planned[], lowest: number): DeviceTensors => {
    const rates = emptyData(dtype, most);
    for (const [i, { learningRate }] of plan.entries()) rates[i] = learningRate;
    const indices = new BigInt64Array(trajectories === null ? 0 : most * batchSize);
    if (trajectories !== null)
      for (const [i, { which }] of plan.entries()) indices.set(which.map(BigInt), i * batchSize);
    const inputs: Record<string, Tensor> = {
      [perUpdateNames.learningRates]: { dtype, shape: [most], data: rates } as Tensor,
      [updateCountName]: scalar(dtype, plan[0]!.count),
      [updatesName]: scalar("int64", plan.length),
      [bestLossName]: scalar(dtype, lowest),
      [batchesName]: tensor("int64", [trajectories === null ? 0 : most, batchSize], indices),
    };
    return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, runtime.upload(value)]));
  };
  const read = async (results: DeviceTensors, name: string, length: number) =>
    numbers(await runtime.download(results[name]!)).slice(0, length);
  const readWatch = async (results: DeviceTensors, name: string, length: number) =>
    name in results ? read(results, name, length) : null;

  return {
    most,
    cost,
    async run({ trained, memory, best }, lowest, plan) {
      const before = Object.fromEntries(Object.entries(best).map(([name, value]) => [bestName(name), value]));
      const given = { ...fixed.tensors, ...trained, ...memory, ...before, ...inputsFor(plan, lowest) };
      const results = await executable.run(pick(given, executable.inputs));
      return {
        losses: await read(results, perUpdateNames.losses, plan.length),
        gradientNorms: await read(results, perUpdateNames.gradientNorms, plan.length),
        reconstructionErrors: await readWatch(results, perUpdateNames.reconstructionErrors, plan.length),
        drifts: await readWatch(results, perUpdateNames.drifts, plan.length),
        after: {
          trained: nextOf(trained, results),
          memory: nextOf(memory, results),
          best: Object.fromEntries(
            Object.keys(best).map((name) => [name, results[nextName(bestName(name))]!]),
          ),
        },
      };
    },
    whyNotFinite(value, trained, which) {
      const own = fixedInputs(ode, runtime, batchOf(whole, which));
      const locate = () =>
        locateDivergence(ode, runtime, setting, whole.grid, { ...own.tensors, ...trained });
      return whyNotFinite(value, { locate }, trained, own);
    },
    release: () => executable.release(),
  };
}
