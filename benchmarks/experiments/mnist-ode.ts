import { tensor } from "../../src/core/tensor.js";
import { odeNet } from "../../src/experiments/ode-net.js";
import { crossEntropy } from "../../src/learning/likelihoods.js";
import { defineModel } from "../../src/models/model.js";
import { defineTask } from "../../src/models/task.js";
import { type CaseOptions, drawn, type ExperimentCase, gradientsOf, methodFor, of } from "./case.js";

const [steps, coupling, dtype, batch] = [4, 0.99, "float32", 128] as const;

function task({ gradient, finer = 1, ...options }: CaseOptions) {
  const net = odeNet(
    {
      ...{ channels: 1, size: 28, width: 64, dtype, gradient, stepSize: 1 / (steps * finer) },
      method: methodFor("midpoint", coupling, options),
    },
    "ode",
  );
  const model = defineModel({
    ...{ name: "mnist-ode", parameters: net.parameters, inputs: { image: { shape: [1, 28, 28] } } },
    apply: (b, theta, { image }, training) => ({ logits: net.apply(b, theta, image, training) }),
  });
  return defineTask({
    model,
    targets: { label: { shape: [], type: "int64" } },
    loss: (b, { outputs, targets }) => crossEntropy(b, outputs.logits, targets.label),
  });
}

/** The published ODE-Net on images of the size of MNIST's; midpoint steps in the place of dopri5. */
export const mnistOde: ExperimentCase = {
  about: "a convolutional neural ODE of 64 channels on 128 images of 28 × 28, 4 midpoint steps",
  ...{ dtype, task, setting: { steps, coupling } },
  data: () => ({
    image: drawn(dtype, [batch, 1, 28, 28], (random) => random.normal()),
    label: tensor(
      "int64",
      [batch],
      Array.from({ length: batch }, (_, i) => BigInt(i % 10)),
    ),
  }),
  own: gradientsOf(),
  peers: [
    ...of("diffrax", "plain", "checkpoint", "direct"),
    ...of("diffrax", "coupled", "reversible"),
    ...of("torchdiffeq", "plain", "odeint", "odeint_adjoint"),
  ],
  updatesPerRun: 1,
};
