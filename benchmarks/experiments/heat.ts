import { scalar } from "../../src/core/tensor.js";
import { heat as experiment } from "../../src/experiments/heat.js";
import { meanChange } from "../../src/experiments/snapshots.js";
import { takeSamples } from "../../src/models/dataset.js";
import { type CaseOptions, type ExperimentCase, gradientsOf, of, solverFor } from "./case.js";

const [coupling, interval, steps, batch] = [0.5, 0.05, 500, 16];

const prepared = ({ finer = 1, ...options }: CaseOptions) =>
  experiment.prepare({
    protocol: {
      ...{ ...experiment.protocol, ...experiment.full, ...solverFor("tsit5", coupling, options) },
      ...{ gradient: options.gradient, stepSize: interval / (steps * finer) },
    },
    ...{ seed: 0, files: [] },
  });

const training = async () => (await prepared({ scheme: "plain", gradient: "direct" })).training;

/** The equation that damps, its conductivity learnt: 50 points, 16 samples, steps of 1e−4 over two snapshots. */
export const heat: ExperimentCase = {
  about: "a heat equation on 50 points, 16 samples, its conductivity learnt over 1000 steps of tsit5",
  dtype: "float64",
  task: async (options) => (await prepared(options)).task,
  data: async () =>
    takeSamples(
      await training(),
      Array.from({ length: batch }, (_, i) => i),
    ),
  given: async () => ({ change: scalar("float64", meanChange(await training())) }),
  setting: { steps, coupling, interval },
  own: gradientsOf("reversible:20"),
  peers: [...of("diffrax", "plain", "vmap, checkpoint", "batched, direct")],
  updatesPerRun: 1,
};
