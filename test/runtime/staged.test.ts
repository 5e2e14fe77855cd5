import { expect } from "chai";
import { type Tensor, tensor } from "../../src/core/tensor.js";
import { byPath } from "../../src/core/tree.js";
import { mlp } from "../../src/fields/mlp.js";
import { differentiator } from "../../src/gradients/evaluate.js";
import { Builder } from "../../src/graph/builder.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve, upload } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { adamw } from "../../src/learning/optimisers.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { loop } from "../../src/ops/control.js";
import { downloadTree } from "../../src/runtime/compile-program.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { staged } from "../../src/runtime/staged.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { train } from "../../src/train/train.js";
import { distance, tensorDistance, tensorsDistance } from "../support/distance.js";
import { randomTask } from "../support/gradients.js";
import { conformance } from "./conformance.js";

conformance("a runtime on which the host does the loops", async () => staged(jit(), 3));

describe("loops done by the host", () => {
  const field = mlp({ dim: 2, hidden: [8] });
  const stepSize = 1 / 22;
  const saves = [5 / 22, 6 / 22, 1];

  for (const gradient of ["reversible", "direct", "checkpoint:3"] as const) {
    const method = gradient === "reversible" ? reversible(midpoint) : explicit(midpoint);
    const ode = neuralOde({ field, method, stepSize });
    const { fit, parameters } = randomTask({ field, stepSize, saves, batch: 3 });

    it(`give the same ${gradient} gradient`, async () => {
      for (const runtime of [await ortNode(), jit()]) {
        const results = [];
        for (const own of [runtime, staged(runtime, 4)]) {
          const compiled = await differentiator(ode, { runtime: own, loss: mse(), gradient, fit });
          const given = { parameters: upload(own, parameters) };
          // the second run shows what the first one has disposed of too much
          await compiled.run(given, compiled.fixed(fit));
          const found = await compiled.run(given, compiled.fixed(fit));
          results.push(byPath<Tensor>(await downloadTree(own, found)));
          await compiled.release();
        }
        // sums over steps may be taken in another order
        expect(tensorsDistance(results[1]!, results[0]!)).to.be.below(1e-13);
      }
    });
  }

  it("train to the same losses, with many updates asked for at once", async () => {
    const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.1 });
    const { fit, parameters } = randomTask({ field, stepSize: 0.1, saves: [0.5, 1], batch: 3 });
    const data = { t0: 0, times: [0.5, 1], y0: fit.y0, observations: fit.target };
    const results = [];
    for (const runtime of [jit(), staged(jit(), 4)]) {
      const options = { loss: mse(), optimiser: adamw({ learningRate: 0.01 }), steps: 7 };
      results.push((await train(ode, data, { runtime, parameters, ...options })).losses);
    }
    expect(distance(results[1]!, results[0]!)).to.be.below(1e-12);
  });

  it("solve to the same states", async () => {
    const { fit, parameters } = randomTask({ field, stepSize, saves, batch: 3 });
    const solving = neuralOde({ field, method: explicit(midpoint), stepSize });
    const results = [];
    for (const runtime of [jit(), staged(jit(), 4)])
      results.push((await solve(solving, { runtime, parameters, y0: fit.y0, t0: 0, saveAt: saves })).ys);
    expect(tensorDistance(results[1]!, results[0]!)).to.equal(0);
  });

  /** Σ and all partial sums of x from 1 on, with a number of iterations that is known or goes in. */
  const sums = (trips: number | "given") => {
    const b = new Builder();
    const x = b.input("x", "float64", [2]);
    const n = trips === "given" ? b.input("n", "int64", []) : trips;
    const { carried, scans } = loop(
      b,
      { trips: n, carried: [b.constant(tensor("float64", [2], [1, 1]))] },
      (inner, _, [y]) => {
        const next = add(inner, y!, x);
        return { carried: [next], scans: trips === "given" ? [] : [mul(inner, next, 2)] };
      },
    );
    return b.graph({
      end: carried[0]!,
      ...(scans[0] ? { rows: scans[0] } : {}),
      x,
      one: b.scalar("float64", 1),
    });
  };
  const run = async (runtime: Runtime, graph: ReturnType<typeof sums>, n: number | null, times = 2) => {
    const executable = await runtime.compile(graph);
    const x = upload(runtime, { x: tensor("float64", [2], [1, 10]) });
    const given = n === null ? x : { ...x, ...upload(runtime, { n: tensor("int64", [], [n]) }) };
    let results = await executable.run(given);
    for (let i = 1; i < times; i++) {
      // they belong to whoever asked for them
      for (const value of Object.values(results)) runtime.dispose(value);
      results = await executable.run(given);
    }
    return downloadTree(runtime, results) as Promise<Record<string, Tensor>>;
  };

  it("stack what each iteration leaves, in chunks and one by one", async () => {
    for (const n of [1, 4, 7, 8, 23]) {
      const { end, rows, x, one } = await run(staged(jit(), 4), sums(n), null);
      expect([...end!.data]).to.deep.equal([1 + n, 1 + 10 * n]);
      expect(rows!.shape).to.deep.equal([n, 2]);
      expect([...rows!.data]).to.deep.equal(
        Array.from({ length: n }, (_, i) => [2 * (2 + i), 2 * (1 + 10 * (i + 1))]).flat(),
      );
      expect([...x!.data]).to.deep.equal([1, 10]);
      expect([...one!.data]).to.deep.equal([1]);
    }
  });

  it("take a number of iterations that goes in, none as well", async () => {
    // where a tensor that is disposed of is gone
    const runtime = staged(await ortNode(), 4);
    for (const n of [0, 1, 5, 11]) {
      const { end } = await run(runtime, sums("given"), n, 3);
      expect([...end!.data]).to.deep.equal([1 + n, 1 + 10 * n]);
    }
  });
});
