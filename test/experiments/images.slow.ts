import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import { deqCifar } from "../../src/experiments/deq-images.js";
import { mnistOde } from "../../src/experiments/ode-images.js";
import type { TaskProtocol } from "../../src/experiments/task-experiment.js";
import { sgd } from "../../src/learning/optimisers.js";
import { takeSamples } from "../../src/models/dataset.js";
import { fit as trainedOn } from "../../src/models/fit.js";
import { evaluate } from "../../src/models/measuring.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { prepared } from "./prepared.js";

const runtime = jit();

describe("experiments on images, as a whole", () => {
  it("have one gradient, undone or stored, and central differences have it too: an ODE-Net", async () => {
    const few = takeSamples((await prepared(mnistOde, { dtype: "float64", samples: 2 })).training, [0, 1]);
    const { augment: _, ...task } = (await prepared(mnistOde, { dtype: "float64", samples: 2 })).task;
    const { parameters } = await trainedOn(task, few, { runtime, steps: 0, dtype: "float64" });
    const gradientBy = async (own: Partial<TaskProtocol>) => {
      const { augment: _, ...own_ } = (await prepared(mnistOde, { ...own, dtype: "float64", samples: 2 }))
        .task;
      const options = { runtime, steps: 1, batchSize: 2, optimiser: sgd({ learningRate: 1 }), parameters };
      const { parameters: after } = await trainedOn(own_, few, options);
      return Object.fromEntries(
        Object.entries(after).map(([name, value]) => {
          const before = numbers(parameters[name]!);
          return [name, numbers(value).map((x, i) => before[i]! - x)];
        }),
      );
    };
    const [undone, stored] = [
      await gradientBy({ gradient: "reversible" }),
      await gradientBy({ gradient: "direct" }),
    ];
    for (const [name, own] of Object.entries(stored)) {
      // four steps at λ = 0.99
      for (const [i, x] of own.entries()) expect(undone[name]![i], name).to.be.closeTo(x, 1e-10);
    }
    const h = 1e-7;
    const at = (by: number) =>
      Object.fromEntries(
        Object.entries(parameters).map(([name, value]) => [
          name,
          tensor(
            "float64",
            value.shape,
            numbers(value).map((x, i) => x + by * stored[name]![i]!),
          ),
        ]),
      );
    const [after, before] = [
      await evaluate(task, few, { runtime, parameters: at(h) }),
      await evaluate(task, few, { runtime, parameters: at(-h) }),
    ];
    const squared = Object.values(stored)
      .flat()
      .reduce((sum, g) => sum + g * g, 0);
    // along the gradient the loss rises by its square, but for kinks of relu that lie in between and rounding, 1e-16 / h
    expect((after.loss - before.loss) / (2 * h)).to.be.closeTo(squared, 1e-4 * squared);
  });

  it("train an ImplicitResNet, whose statistics follow", async () => {
    const { task, training } = await prepared(deqCifar, { network: "small-resnet", samples: 4 });
    const { losses, buffers } = await trainedOn(task, training, {
      ...{ runtime, steps: 2, batchSize: 4, dtype: "float32" },
    });
    expect(losses.every(Number.isFinite)).to.equal(true);
    // a share of 0.01 of each batch is taken in: 1 − 0.99² of variances about 1 at most
    const variance = numbers(buffers["deq.stem.1.running_var"]!);
    for (const value of variance) expect(value).to.be.within(0.98, 1.5);
    expect(variance.some((value) => value !== 1)).to.equal(true);
  });
});
