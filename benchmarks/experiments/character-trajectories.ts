import { Random } from "../../src/core/random.js";
import { tensor } from "../../src/core/tensor.js";
import { pathClassifier } from "../../src/experiments/path-classifier.js";
import { type CaseOptions, type ExperimentCase, gradientsOf, methodFor, of } from "./case.js";

const [steps, coupling, dtype] = [100, 0.999, "float32"] as const;
/** of the published training data: series, observations, channels with time, classes */
const [count, length, channels, classes] = [2240, 182, 4, 20];

const task = ({ gradient, finer = 1, ...options }: CaseOptions) =>
  pathClassifier({
    ...{ name: "character-trajectories", hidden: 32, length, channels, dtype, loss: "probability" },
    ...{ method: methodFor("midpoint", coupling, options), gradient, stepSize: 1 / (steps * finer) },
    classes: Array.from({ length: classes }, (_, c) => String(c)),
  }).task;

/** Smooth series in the place of pen velocities, of as many classes: waves of each class' own, at a phase of each series. */
function data() {
  const random = Random.seeded(1);
  // filled in place: lists of lists would take more memory than the update that is measured
  const x = new Float32Array(count * length * channels);
  const label = BigInt64Array.from({ length: count }, (_, i) => BigInt(i % classes));
  for (let i = 0; i < count; i++) {
    const phases = Array.from({ length: channels - 1 }, () => random.uniform(-0.5, 0.5));
    for (let k = 0; k < length; k++) {
      const t = k / (length - 1);
      const at = (i * length + k) * channels;
      x[at] = t;
      for (const [c, phase] of phases.entries())
        x[at + 1 + c] = Math.sin((2 + c + (i % classes) / 3) * Math.PI * t + phase);
    }
  }
  return { x: tensor(dtype, [count, length, channels], x), label: tensor("int64", [count], label) };
}

/** The published classifier, on made series of the size of CharacterTrajectories. */
export const characterTrajectories: ExperimentCase = {
  about: "a neural CDE of 32 along 2240 series of 182 × 4, 100 midpoint steps",
  ...{ dtype, task, data, setting: { steps, coupling } },
  own: gradientsOf(),
  peers: [
    ...of("diffrax", "plain", "vmap, checkpoint", "batched, direct"),
    ...of("diffrax", "coupled", "batched, reversible"),
    ...of("JAX", "plain", "batched, remat"),
    ...of("torchcde", "plain", "cdeint", "cdeint, adjoint"),
  ],
  updatesPerRun: 1,
};
