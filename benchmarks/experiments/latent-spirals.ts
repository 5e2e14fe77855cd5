import { latentOde } from "../../src/experiments/latent-ode.js";
import { spiralNoise, spiralPieces } from "../../src/experiments/spiral-paths.js";
import { mlp as perceptron } from "../../src/fields/mlp.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { evidence } from "../../src/learning/evidence.js";
import { reparametrised } from "../../src/models/latent.js";
import { defineModel } from "../../src/models/model.js";
import { defineTask } from "../../src/models/task.js";
import { gapCell } from "../../src/nn/gap-cells.js";
import { mlp } from "../../src/nn/linear.js";
import type { ObservedCell } from "../../src/nn/observed-cell.js";
import { add } from "../../src/ops/arithmetic.js";
import { zerosLike } from "../../src/ops/generate.js";
import { type CaseOptions, drawn, type ExperimentCase, methodFor, of } from "./case.js";

const [dtype, latent, observed, batch, parts] = ["float32", 4, 30, 1000, 2] as const;

/** The latent ODE of the experiment without the recurrent network beside it, on noise that is given. */
function task({ gradient, finer = 1, ...options }: CaseOptions) {
  const field = perceptron({ dim: latent, hidden: [20, 20], activation: "elu", time: false });
  const method = methodFor("midpoint", 0.999, options);
  const ode = latentOde({
    encoder: gapCell(2, 25) as unknown as ObservedCell,
    ode: neuralOde({ field, method, stepSize: 1 / (parts * finer), dtype }),
    decoder: mlp([latent, 20, 2], { activation: "relu" }),
    gradient,
  });
  const model = defineModel({
    ...{ name: "latent-spirals", parameters: ode.parameters },
    inputs: { values: { shape: [observed, 2] }, times: { shape: [observed] }, noise: { shape: [latent] } },
    apply(b, theta, { values, times, noise }, training) {
      const series = { values, times, mask: add(b, zerosLike(b, values), 1) };
      const posterior = ode.posterior(b, theta, series, training);
      const z0 = reparametrised(b, posterior, training && { ...training, normal: () => noise });
      return { ...posterior, decoded: ode.decoded(b, theta, z0, times, training) };
    },
  });
  return defineTask({
    model,
    targets: {},
    loss: (b, { outputs, inputs }) =>
      evidence(b, {
        ...{ x: inputs.values, decoded: outputs.decoded, deviation: spiralNoise, posterior: outputs },
      }).loss,
  });
}

/** The published latent ODE, all spirals in a batch. */
export const latentSpirals: ExperimentCase = {
  about: "a latent ODE of 1000 spirals seen at 30 times of their own, 2 midpoint steps from time to time",
  ...{ dtype, task, setting: { steps: parts, deviation: spiralNoise } },
  data() {
    const { truth: _, ...seen } = spiralPieces(batch, { observed, seed: 0, dtype });
    return { ...seen, noise: drawn(dtype, [batch, latent], (random) => random.normal()) };
  },
  own: [
    { scheme: "plain", gradient: "direct" },
    { scheme: "plain", gradient: "checkpoint" },
    { scheme: "coupled", gradient: "reversible" },
  ],
  peers: [
    ...of("diffrax", "plain", "checkpoint", "direct"),
    ...of("torchdiffeq", "plain", "odeint", "odeint_adjoint"),
  ],
  updatesPerRun: 2,
};
