import { expect } from "chai";
import { mlp } from "../../src/fields/mlp.js";
import { differentiator } from "../../src/gradients/evaluate.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { upload } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { randomTask } from "../support/gradients.js";
import type { OwnChecks } from "./checks.js";

// How often the processor waits for the GPU, which a page can count: it is when a buffer is mapped.

/** Buffers mapped while something is done. */
async function mapped(work: () => Promise<unknown>): Promise<number> {
  const { prototype } = (
    globalThis as unknown as { GPUBuffer: { prototype: { mapAsync(mode: number): Promise<void> } } }
  ).GPUBuffer;
  const { mapAsync } = prototype;
  let count = 0;
  prototype.mapAsync = function (...given) {
    count++;
    return mapAsync.apply(this, given);
  };
  try {
    await work();
  } finally {
    prototype.mapAsync = mapAsync;
  }
  return count;
}

/** Read-backs of a gradient of so many steps, warm, and of its loss. */
async function ofGradient(runtime: Runtime, steps: number): Promise<number> {
  const field = mlp({ dim: 2, hidden: [4] });
  const stepSize = 1 / steps;
  const { fit, parameters } = randomTask({ field, stepSize, saves: [1], batch: 2, dtype: "float32" });
  const ode = neuralOde({ field, method: reversible(midpoint), stepSize, dtype: "float32" });
  const compiled = await differentiator(ode, { runtime, loss: mse(), gradient: "reversible", fit });
  const [given, fixed] = [{ parameters: upload(runtime, parameters) }, compiled.fixed(fit)];
  const once = async () => runtime.download((await compiled.run(given, fixed)).loss);
  await once();
  const count = await mapped(once);
  await compiled.release();
  return count;
}

export const readBackChecks: OwnChecks = {
  async "waits for the GPU as often for many steps as for few, and in each iteration of a loop"({ open }) {
    const chunks = await open({ unroll: 2 });
    const few = await ofGradient(chunks, 5);
    // the loss, and what else is asked for
    expect(few).to.be.within(1, 3);
    expect(await ofGradient(chunks, 15)).to.equal(few);
    // what is counted is what loops do
    const loops = await open({ unroll: 0 });
    const inLoops = await ofGradient(loops, 5);
    expect(await ofGradient(loops, 15)).to.be.at.least(inLoops + 20);
  },
};
