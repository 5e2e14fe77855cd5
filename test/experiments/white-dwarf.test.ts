import { expect } from "chai";
import { numbers } from "../../src/core/tensor.js";
import { whiteDwarf } from "../../src/experiments/white-dwarf.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import type { Method } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { gridThrough } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { ortWasm } from "../../src/runtimes/ort-web.js";
import { type TrainOptions, train } from "../../src/train/train.js";
import { distance, tensorsDistance } from "../support/distance.js";
import { itWithShared } from "../support/shared-files.js";
import { type Reference, type ReferenceRun, readReference, referencePath } from "../support/white-dwarf.js";

const { protocol } = whiteDwarf;

/** Data and first gradient of a run of the reference, against what the reference says. */
async function compare(runtime: Runtime, { parameters }: Reference, run: ReferenceRun): Promise<void> {
  const ode = neuralOde({ field: whiteDwarf.field(), method: run.method, stepSize: protocol.stepSize });
  const { y0, times, observations } = await whiteDwarf.data({ ode, runtime, file: null });
  // 1000 steps at a relative 1e-16 a rounding
  expect(distance(numbers(observations).slice(-2), numbers(run.dataLast)), run.name).to.be.below(1e-12);
  const { loss, ...found } = await gradientOf(ode, {
    runtime,
    loss: protocol.loss(),
    gradient: run.gradient,
    parameters,
    fit: { grid: gridThrough(0, times, protocol.stepSize), y0, target: observations, weight: null },
  });
  expect(distance([loss], [run.loss]), run.name).to.be.below(1e-12);
  // sums of 1000 steps, each of which may have been rounded otherwise by the reference's linear algebra
  expect(tensorsDistance(found.parameters, run.gradients), run.name).to.be.below(1e-12);
}

describe("the white dwarf", () => {
  itWithShared(referencePath, "has the published first losses and gradients, on ort-cpu", async (text) => {
    const runtime = await ortNode();
    const reference = readReference(text);
    expect(reference.runs.length).to.equal(8);
    for (const run of reference.runs) await compare(runtime, reference, run);
  });

  itWithShared(
    referencePath,
    "has the published first loss and gradient of RK4, on ort-wasm",
    async (text) => {
      const runtime = await ortWasm();
      const reference = readReference(text);
      for (const run of reference.runs.filter(({ name }) => name.startsWith("rk4"))) {
        await compare(runtime, reference, run);
      }
    },
  );

  /** Minimum loss over training by the paper's protocol, as many digits as were published, for these initial weights. */
  const published: Readonly<Record<string, string>> = {
    "euler/reversible": "0.00006443",
    "euler/checkpoint": "0.00006618",
    "midpoint/reversible": "0.00006540",
    "midpoint/checkpoint": "0.00006540",
    "rk4/reversible": "0.00006540",
  };

  itWithShared(referencePath, "is learnt to every published loss in 1000 updates, compiled", async (text) => {
    const runtime = jit();
    const { parameters, runs } = readReference(text);
    for (const [name, loss] of Object.entries(published)) {
      const { method, gradient } = runs.find((run) => run.name === name)!;
      const losses = await lossesOf(runtime, method, protocol.steps + 1, { parameters, gradient });
      // losses are of the parameters before each update: the one after 1000 updates is the 1001st
      expect(losses.length).to.equal(1001);
      expect(Math.min(...losses).toFixed(8), name).to.equal(loss);
    }
  });

  itWithShared(referencePath, "is learnt alike on ONNX Runtime", async (text) => {
    const { parameters, runs } = readReference(text);
    const { method, gradient } = runs.find(({ name }) => name === "midpoint/reversible")!;
    const [compiled, ort] = [jit(), await ortNode()];
    const steps = 20;
    const here = await lossesOf(compiled, method, steps, { parameters, gradient });
    const there = await lossesOf(ort, method, steps, { parameters, gradient });
    // gradients agree to 1e-14, and 20 updates of Adam do not magnify that much
    expect(distance(here, there)).to.be.below(1e-10);
  });

  it("is learnt to losses of the published size from other random weights", async () => {
    for (const seed of [0, 1, 2, 3]) {
      const losses = await lossesOf(jit(), reversible(midpoint), protocol.steps, { seed });
      // published for three seeds: 6.5e-5 to 1.2e-4; untrained: about 0.7
      expect(Math.min(...losses), `seed ${seed}`).to.be.within(1e-5, 5e-4);
    }
  });
});

/** Loss before each update of the paper's protocol. */
async function lossesOf(
  runtime: Runtime,
  method: Method,
  steps: number,
  options: Partial<TrainOptions>,
): Promise<readonly number[]> {
  const ode = neuralOde({ field: whiteDwarf.field(), method, stepSize: protocol.stepSize });
  const data = await whiteDwarf.data({ ode, runtime, file: null });
  const { losses } = await train(ode, data, {
    runtime,
    loss: protocol.loss(),
    optimiser: protocol.optimiser({}),
    steps,
    ...options,
  });
  return losses;
}
