import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { lossSetting } from "../../src/gradients/differentiator.js";
import { Builder } from "../../src/graph/builder.js";
import { countNodes, type Graph, nodesOf, subgraphsOf } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { add } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { gemm, matmul } from "../../src/ops/linalg.js";
import { reshape } from "../../src/ops/reshape.js";
import { gradientProgram } from "../../src/programs/training.js";
import { fuse } from "../../src/runtime/fuse.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { distance } from "../support/distance.js";
import { randomTask } from "../support/gradients.js";

/** Operators by type, those of subgraphs included. */
function census(graph: Graph, found: Record<string, number> = {}): Record<string, number> {
  for (const node of nodesOf(graph)) {
    found[node.op.type] = (found[node.op.type] ?? 0) + 1;
    for (const body of subgraphsOf(node.attributes)) census(body, found);
  }
  return found;
}

async function evaluate(runtime: Runtime, graph: Graph, inputs: Record<string, Tensor>): Promise<Tensor> {
  const executable = await runtime.compile(graph);
  const given = Object.entries(inputs).map(([name, value]) => [name, runtime.upload(value)]);
  const { z } = await executable.run(Object.fromEntries(given));
  await executable.release();
  return runtime.download(z!);
}

describe("Fusing sums of products", () => {
  const x = tensor(
    "float64",
    [3, 2],
    [1, 2, 3, 4, 5, 6].map((i) => i / 7),
  );
  const w = tensor("float64", [2, 2], [0.5, -1, 2, 0.25]);

  function sumGraph(shared: boolean): Graph {
    const b = new Builder();
    const [p, q] = [b.input("x", "float64", [3, 2]), b.input("w", "float64", [2, 2])];
    const products = [gemm(b, p, q), gemm(b, p, q, null, { transB: 1 }), gemm(b, add(b, p, p), q)];
    const weights = add(b, add(b, products[0]!, products[1]!), products[2]!);
    const biases = add(
      b,
      reshape(b, reduceSum(b, p, [0], true), [2]),
      reshape(b, reduceSum(b, add(b, p, p), [0], true), [2]),
    );
    const z = add(b, weights, biases);
    return b.graph({ z: shared ? add(b, z, products[0]!) : z }, "sums");
  }

  it("makes one chain of sums of products, and of sums over rows", async () => {
    const graph = sumGraph(false);
    const fused = fuse(graph);
    // x + x, and the sum of weights and biases
    expect(census(fused)).to.deep.equal({ Gemm: 5, Add: 2, Reshape: 1 });
    const runtime = jit();
    const [expected, found] = [
      await evaluate(runtime, graph, { x, w }),
      await evaluate(runtime, fused, { x, w }),
    ];
    expect(distance(numbers(found), numbers(expected))).to.be.below(1e-15);
  });

  it("computes no product twice where something else needs it", async () => {
    const graph = sumGraph(true);
    expect(census(fuse(graph)).Gemm).to.equal(5);
    const runtime = jit();
    const [expected, found] = [
      await evaluate(runtime, graph, { x, w }),
      await evaluate(runtime, fuse(graph), { x, w }),
    ];
    expect(distance(numbers(found), numbers(expected))).to.be.below(1e-15);
  });

  it("turns tall products, and their sum only once", async () => {
    const b = new Builder();
    const [p, q] = [b.input("x", "float64", [128, 16]), b.input("w", "float64", [128, 2])];
    const products = [q, add(b, q, q)].map((w) => gemm(b, p, w, null, { transA: 1 }));
    const graph = b.graph({ z: add(b, products[0]!, products[1]!) }, "tall");
    expect(census(fuse(graph))).to.deep.equal({ Gemm: 2, Add: 1, Transpose: 1 });
    const tall = tensor(
      "float64",
      [128, 16],
      Array.from({ length: 2048 }, (_, i) => Math.sin(i)),
    );
    const narrow = tensor(
      "float64",
      [128, 2],
      Array.from({ length: 256 }, (_, i) => Math.cos(i)),
    );
    const runtime = jit();
    const inputs = { x: tall, w: narrow };
    const [expected, found] = [
      await evaluate(runtime, graph, inputs),
      await evaluate(runtime, fuse(graph), inputs),
    ];
    expect(found.shape).to.deep.equal([16, 2]);
    // 256 terms, of size 1, in another order
    expect(distance(numbers(found), numbers(expected))).to.be.below(1e-13);
  });

  it("leaves other sums as they are", () => {
    const b = new Builder();
    const [p, q] = [b.input("x", "float64", ["batch", 2]), b.input("w", "float64", [2, 2])];
    const graph = b.graph({ z: add(b, matmul(b, p, q), reduceSum(b, p, [0], true)) }, "others");
    expect(census(fuse(graph))).to.deep.equal(census(graph));
  });

  it("takes the sums over evaluations out of a gradient's steps", () => {
    const field = mlp({ dim: 2, hidden: [4, 4], time: false });
    const { fit } = randomTask({ field, stepSize: 0.1, saves: [1], batch: 3 });
    const ode = neuralOde({ field, stepSize: 0.1 });
    const { graph } = gradientProgram(lossSetting(ode, { loss: mse(), fit } as never), "reversible");
    const [before, after] = [countNodes(graph), countNodes(fuse(graph))];
    expect(census(fuse(graph)).ReduceSum).to.equal(undefined);
    // 9 sums of weights' and 9 of biases' cotangents, and 9 reshapes of these
    expect(before - after).to.equal(27);
  });
});
