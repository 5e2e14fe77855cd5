import { expect } from "chai";
import { numbers } from "../../src/core/tensor.js";
import { irregularPeriodic } from "../../src/experiments/irregular-periodic.js";
import { latentSpirals } from "../../src/experiments/latent-spirals.js";
import { spirals } from "../../src/experiments/spirals.js";
import type { TaskExperiment, TaskProtocol } from "../../src/experiments/task-experiment.js";
import { sgd } from "../../src/learning/optimisers.js";
import { takeSamples } from "../../src/models/dataset.js";
import { fit as trainedOn } from "../../src/models/fit.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { json, scratch } from "../cli/command.js";
import { prepared } from "./prepared.js";

const runtime = jit();

/** Parameters after one update by plain gradient descent on a few samples. */
async function updated(experiment: TaskExperiment, own: Partial<TaskProtocol>) {
  const { task, training } = await prepared(experiment, { ...own, dtype: "float64" });
  const few = takeSamples(training, [0, 1, 2]);
  const { parameters } = await trainedOn(task, few, {
    ...{ runtime, steps: 1, batchSize: 3, dtype: "float64", seed: 3 },
    optimiser: sgd({ learningRate: 1e-3 }),
  });
  return parameters;
}

describe("experiments with latent variables, as a whole", () => {
  for (const experiment of [latentSpirals, irregularPeriodic, spirals]) {
    it(`have one gradient, undone or stored: ${experiment.name}`, async () => {
      const coupled = { coupling: 0.999, solver: "midpoint" };
      const undone = await updated(experiment, { ...coupled, gradient: "reversible" });
      const stored = await updated(experiment, { ...coupled, gradient: "direct" });
      for (const [name, value] of Object.entries(stored)) {
        const other = numbers(undone[name]!);
        // the losses are in the thousands, and sums of so many terms
        for (const [i, x] of numbers(value).entries()) {
          expect(other[i], name).to.be.closeTo(x, 1e-10 * Math.max(1, Math.abs(x)));
        }
      }
    });
  }
});

describe("revort train, of experiments whose solves are steps of chains", () => {
  const folder = scratch();

  it("says how far undone states came back", async () => {
    const words = ["--gradient", "reversible", "--steps", "1", "--out", folder("spirals")];
    const report = await json("train", "latent-spirals", ...words);
    expect(report).to.deep.include({ gradient: "reversible", coupling: 0.999 });
    // float32, of which 6e-8 is the spacing
    expect(report.reconstructionError).to.be.within(1e-9, 1e-5);
  });
});
