import { expect } from "chai";
import { type Tensor, tensor } from "../../src/core/tensor.js";
import { byPath } from "../../src/core/tree.js";
import { mlp } from "../../src/fields/mlp.js";
import { lossSetting } from "../../src/gradients/differentiator.js";
import { differentiator } from "../../src/gradients/evaluate.js";
import { Builder } from "../../src/graph/builder.js";
import { countNodes, type Graph, nodesOf, subgraphsOf } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { upload } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { add } from "../../src/ops/arithmetic.js";
import { loop } from "../../src/ops/control.js";
import { less } from "../../src/ops/logic.js";
import { gradientProgram } from "../../src/programs/training.js";
import { downloadTree } from "../../src/runtime/compile-program.js";
import { unroll, unrolled } from "../../src/runtime/unroll.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { tensorsDistance } from "../support/distance.js";
import { randomTask } from "../support/gradients.js";

const hasLoop = (graph: Graph): boolean =>
  nodesOf(graph).some(({ op, attributes }) => op.type === "Loop" || subgraphsOf(attributes).some(hasLoop));

describe("unrolled loops", () => {
  const steps = 6;
  const saves = Array.from({ length: steps }, (_, i) => (i + 1) / steps);
  const field = mlp({ dim: 2, hidden: [8] });

  for (const gradient of ["reversible", "direct"] as const) {
    const method = gradient === "reversible" ? reversible(midpoint) : explicit(midpoint);
    const ode = neuralOde({ field, method, stepSize: 1 / steps });
    const { fit, parameters } = randomTask({ field, stepSize: 1 / steps, saves, batch: 3 });

    it(`leave no loop in a ${gradient} gradient of steps that are all saved`, () => {
      const { graph } = gradientProgram(lossSetting(ode, { loss: mse(), fit }), gradient);
      const straight = unroll(graph, steps);
      expect(hasLoop(graph)).to.equal(true);
      expect(hasLoop(straight)).to.equal(false);
      expect(countNodes(straight)).to.be.above(countNodes(graph));
    });

    it(`give the same ${gradient} gradient`, async () => {
      for (const runtime of [await ortNode(), jit()]) {
        const results = [];
        for (const own of [runtime, unrolled(runtime, steps)]) {
          const compiled = await differentiator(ode, { runtime: own, loss: mse(), gradient, fit });
          const found = await compiled.run({ parameters: upload(own, parameters) }, compiled.fixed(fit));
          results.push(byPath<Tensor>(await downloadTree(own, found)));
          await compiled.release();
        }
        // sums over steps may be taken in another order
        expect(tensorsDistance(results[1]!, results[0]!)).to.be.below(1e-13);
      }
    });
  }

  it("stay loops where they are long, end by a condition, or their number goes in", () => {
    const counting = (trips: number | "given", bound: number | null) => {
      const b = new Builder();
      const x = b.input("x", "float64", []);
      const { carried } = loop(
        b,
        { trips: trips === "given" ? b.input("trips", "int64", []) : trips, carried: [x] },
        (inner, _i, [y]) => {
          const next = add(inner, y!, 1);
          return { carried: [next], ...(bound === null ? {} : { proceed: less(inner, next, bound) }) };
        },
      );
      return b.graph({ y: carried[0]! });
    };
    expect(hasLoop(unroll(counting(4, null), 4))).to.equal(false);
    expect(hasLoop(unroll(counting(5, null), 4))).to.equal(true);
    expect(hasLoop(unroll(counting(4, 3), 4))).to.equal(true);
    expect(hasLoop(unroll(counting("given", null), 4))).to.equal(true);
  });

  it("stay around loops that stay, which would only be more", () => {
    // two steps to each save, a number that goes in
    const { fit } = randomTask({ field, stepSize: 1 / (2 * steps), saves, batch: 3 });
    const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 1 / (2 * steps) });
    const { graph } = gradientProgram(lossSetting(ode, { loss: mse(), fit }), "reversible");
    expect(countNodes(unroll(graph, 16))).to.be.at.most(countNodes(graph));
    const b = new Builder();
    const nested = (inside: number) => {
      const { carried } = loop(
        b,
        { trips: 3, carried: [b.input(`x${inside}`, "float64", [])] },
        (outer, _i, [x]) => ({
          carried: loop(outer, { trips: inside, carried: [x!] }, (inner, _j, [y]) => ({
            carried: [add(inner, y!, 1)],
          })).carried,
        }),
      );
      return b.graph({ y: carried[0]! });
    };
    expect(hasLoop(unroll(nested(2), 4))).to.equal(false);
    expect(hasLoop(unroll(nested(5), 4))).to.equal(true);
  });

  it("stack what a loop stacks", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2]);
    const { carried, scans } = loop(b, { trips: 3, carried: [x], length: 3 }, (inner, _i, [y]) => {
      const next = add(inner, y!, 1);
      return { carried: [next], scans: [next] };
    });
    const graph = unroll(b.graph({ end: carried[0]!, all: scans[0]! }), 3);
    const runtime = jit();
    const executable = await runtime.compile(graph);
    const { end, all } = await executable.run({ x: runtime.upload(tensor("float64", [2], [0, 10])) });
    expect([...(await runtime.download(end!)).data]).to.deep.equal([3, 13]);
    expect([...(await runtime.download(all!)).data]).to.deep.equal([1, 11, 2, 12, 3, 13]);
  });
});
