import { expect } from "chai";
import { numbers } from "../../src/core/tensor.js";
import { whiteDwarf } from "../../src/experiments/white-dwarf.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { gridThrough } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { ortWasm } from "../../src/runtimes/ort-web.js";
import { train } from "../../src/train/train.js";
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

  itWithShared(
    referencePath,
    "is learnt to the published loss in 1000 updates, by midpoint (slow: a minute or more)",
    async function (text) {
      this.timeout(900_000);
      const runtime = await ortNode();
      const { parameters, runs } = readReference(text);
      const { method } = runs.find(({ name }) => name === "midpoint/reversible")!;
      const ode = neuralOde({ field: whiteDwarf.field(), method, stepSize: protocol.stepSize });
      const data = await whiteDwarf.data({ ode, runtime, file: null });
      // losses are of the parameters before each update: the one after 1000 updates is the 1001st
      const { losses } = await train(ode, data, {
        runtime,
        parameters,
        loss: protocol.loss(),
        optimiser: protocol.optimiser({}),
        steps: protocol.steps + 1,
      });
      expect(losses.length).to.equal(1001);
      // as many digits as were published
      expect(Math.min(...losses).toFixed(8)).to.equal("0.00006540");
    },
  );
});
