import { type Tensor, tensor } from "../../src/core/tensor.js";
import { ouPaths, pathTimes } from "../../src/experiments/ou-paths.js";
import { sdeGan } from "../../src/experiments/sde-gan-model.js";
import { sdeMethodNamed } from "../../src/methods/sde-named.js";
import { predict } from "../../src/models/measuring.js";
import { defineModel } from "../../src/models/model.js";
import { defineTask } from "../../src/models/task.js";
import { sub } from "../../src/ops/arithmetic.js";
import { reduceMean } from "../../src/ops/reduce.js";
import { unsqueeze } from "../../src/ops/reshape.js";
import { concat } from "../../src/ops/slicing.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { keyedIncrements, keysOfPaths, startingNoise } from "../../src/systems/brownian.js";
import type { CaseOptions, ExperimentCase } from "./case.js";
import { of } from "./case.js";

const [dtype, batch, motions, initialNoise, steps] = ["float32", 1024, 3, 5, pathTimes.length - 1] as const;

/** The pair of the experiment, on noise that is that of its seeds: the same in each update. */
function task({ gradient, finer = 1 }: CaseOptions) {
  const { model } = sdeGan({
    ...{ times: pathTimes, stepSize: 1 / finer, dtype, gradient },
    method: sdeMethodNamed("reversible-heun"),
  } as Parameters<typeof sdeGan>[0]);
  const still = defineModel({
    ...model,
    apply: (b, theta, inputs, _training) => model.apply(b, theta, inputs, null),
  });
  return defineTask({
    model: still,
    targets: {},
    loss: (b, { outputs }) => sub(b, reduceMean(b, outputs.real), reduceMean(b, outputs.fake)),
  });
}

const seeds = () =>
  tensor(
    "int64",
    [batch],
    Array.from({ length: batch }, (_, i) => BigInt(i)),
  );

/** What the seeds are made into: where paths start, [batch, 5], and what drives them, [batch, 63, 3]. */
async function noise(): Promise<Readonly<Record<string, Tensor>>> {
  const model = defineModel({
    ...{ name: "noise", parameters: {}, inputs: { seed: { shape: [], type: "int64" } } },
    apply(b, _, { seed }) {
      const keys = keysOfPaths(b, seed, batch);
      const [t, h] = [b.scalar(dtype, 0), b.scalar(dtype, 1)];
      const rows = Array.from({ length: steps }, (_row, i) =>
        keyedIncrements().increment(b, {
          ...{ i: b.scalar("int64", i), t0: t, t1: t, h, keys, motions, dtype },
        }),
      );
      const increments = concat(
        b,
        rows.map((row) => unsqueeze(b, row, [1])),
        1,
      );
      return { start: startingNoise(b, seed, initialNoise, dtype), increments };
    },
  });
  const { start, increments } = await predict(
    model,
    { seed: seeds() },
    { runtime: jit(), parameters: {}, dtype },
  );
  return { start, increments };
}

/** The published pair: generator and discriminator by reversible Heun, 63 steps each. */
export const ouSdeGan: ExperimentCase = {
  about: "an SDE-GAN of 16 on 1024 paths, reversible Heun, 63 steps of generator and discriminator",
  ...{ dtype, task, given: noise, setting: { steps } },
  data: () => ({ ys: ouPaths(batch, { seed: 1, dtype, missing: 0.3 }), seed: seeds() }),
  own: (["reversible", "direct", "checkpoint"] as const).map((gradient) => ({ scheme: "coupled", gradient })),
  peers: [...of("diffrax", "coupled", "checkpoint", "direct"), ...of("torchsde", "coupled", "sdeint")],
  updatesPerRun: 1,
};
