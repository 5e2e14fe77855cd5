import { twoMoons as experiment } from "../../src/experiments/two-moons.js";
import { type CaseOptions, type ExperimentCase, gradientsOf, of, solverFor } from "./case.js";

const [steps, coupling] = [100, 0.999];

const prepared = ({ finer = 1, ...options }: CaseOptions) =>
  experiment.prepare({
    protocol: {
      ...{ ...experiment.protocol, ...experiment.full, ...solverFor("midpoint", coupling, options) },
      ...{ gradient: options.gradient, stepSize: 1 / (steps * finer) },
    },
    ...{ seed: 0, files: [] },
  });

/** The published flow of two moons: 1000 points, 2-128-128-128-2, an exact trace, 100 midpoint steps. */
export const twoMoons: ExperimentCase = {
  about: "a continuous normalising flow of 1000 points, 2-128-128-128-2, exact trace, 100 midpoint steps",
  dtype: "float32",
  task: async (options) => (await prepared(options)).task,
  data: async () => (await prepared({ scheme: "plain", gradient: "direct" })).training,
  setting: { steps, coupling },
  own: gradientsOf(),
  peers: [
    ...of("diffrax", "plain", "vmap, checkpoint", "batched, direct"),
    ...of("diffrax", "coupled", "batched, reversible"),
    ...of("JAX", "plain", "batched, remat"),
    ...of("JAX", "coupled", "batched, reversible"),
    ...of("torchdiffeq", "plain", "odeint", "odeint_adjoint"),
  ],
  updatesPerRun: 1,
};
