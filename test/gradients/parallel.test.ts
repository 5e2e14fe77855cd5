import { expect } from "chai";
import { pid } from "../../src/control/control.js";
import { numbers, type Tensor } from "../../src/core/tensor.js";
import { byPath } from "../../src/core/tree.js";
import { mlp } from "../../src/fields/mlp.js";
import { differentiator, type GradientResults } from "../../src/gradients/evaluate.js";
import { parallelDifferentiator, SplitError } from "../../src/gradients/parallel.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { upload } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { explicit } from "../../src/methods/explicit.js";
import { dopri5 } from "../../src/methods/tableaux.js";
import { downloadTree } from "../../src/runtime/compile-program.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { type ThreadRuntime, threadRuntime } from "../../src/runtimes/thread.js";
import { train } from "../../src/train/train.js";
import { tensorsDistance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import { randomTask } from "../support/gradients.js";

describe("A gradient in parts of the batch", () => {
  const field = mlp({ dim: 2, hidden: [8] });
  const ode = neuralOde({ field, stepSize: 0.1 });
  const threads: ThreadRuntime[] = [];
  let home: Runtime;
  before(async () => {
    home = await ortNode();
    threads.push(await threadRuntime("ort-cpu"), await threadRuntime("jit"));
  });
  after(async () => {
    for (const thread of threads) await thread.close();
  });

  const download = async (runtime: Runtime, results: GradientResults) =>
    byPath<Tensor>(await downloadTree(runtime, results));

  for (const gradient of ["reversible", "direct", "checkpoint:3"] as const) {
    for (const missing of [0, 0.4]) {
      it(`is that of the whole batch: ${gradient}, ${missing * 100} % of the data missing`, async () => {
        const { fit, parameters } = randomTask({ field, stepSize: 0.1, saves: [0.35, 1], batch: 5, missing });
        const options = { runtime: home, loss: mse(), gradient, fit };
        const whole = await differentiator(ode, options);
        const split = await parallelDifferentiator(ode, { ...options, helpers: threads });
        const trained = { parameters: upload(home, parameters) };
        const expected = await download(home, await whole.run(trained, whole.fixed(fit)));
        // of what is watched, the whole batch has what is worst relative to all of it, and the parts to their own
        const watched = ["drift", "reconstructionError"].filter((name) => name in expected);
        const unwatched = (of: Record<string, Tensor>) =>
          Object.fromEntries(Object.entries(of).filter(([name]) => !watched.includes(name as never)));
        for (let i = 0; i < 2; i++) {
          const found = await download(home, await split.run(trained, split.fixed(fit)));
          expect(found).to.have.all.keys(expected);
          for (const name of watched) expect(numbers(found[name]!)[0], name).to.be.within(0, 1e-3);
          // sums in another order, and another runtime's elementary functions
          expect(tensorsDistance(unwatched(found), unwatched(expected))).to.be.below(1e-12);
        }
        await whole.release();
        await split.release();
      });
    }
  }

  it("trains as in one part, but for rounding", async () => {
    const times = [0.35, 1];
    const { fit, parameters } = randomTask({ field, stepSize: 0.1, saves: times, batch: 5 });
    const data = { t0: 0, times, y0: fit.y0, observations: fit.target };
    const options = { runtime: home, steps: 6, parameters };
    const whole = await train(ode, data, options);
    const split = await train(ode, data, { ...options, helpers: threads });
    expect(tensorsDistance(split.parameters, whole.parameters)).to.be.below(1e-10);
    expect(split.losses).to.have.length(6);
  });

  it("refuses steps that are chosen by their error, which the whole batch shares", async () => {
    const { fit } = randomTask({ field, stepSize: 0.1, saves: [1], batch: 5 });
    const options = { runtime: home, loss: mse(), gradient: "direct", fit, helpers: threads } as const;
    const chosen = neuralOde({ field, method: explicit(dopri5), stepSize: 0.1 });
    const made = parallelDifferentiator(chosen, { ...options, control: pid({ rtol: 1e-6, atol: 1e-6 }) });
    expect((await failure(made, SplitError)).message).to.contain("fixed size");
  });

  it("refuses a batch with fewer trajectories than runtimes", async () => {
    const { fit } = randomTask({ field, stepSize: 0.1, saves: [1], batch: 2 });
    const made = parallelDifferentiator(ode, {
      runtime: jit(),
      loss: mse(),
      gradient: "direct",
      fit,
      helpers: threads,
    });
    expect((await failure(made, SplitError)).message)
      .to.contain("batch of 2")
      .and.contain("3 runtimes");
  });
});
