import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { encode } from "../../src/graph/encode.js";
import { countNodes, type Graph, nodesOf, subgraphsOf } from "../../src/graph/graph.js";
import { decompose, inline, rebuild } from "../../src/graph/passes.js";
import { mish } from "../../src/ops/activation.js";
import { add, Mul, mul, sub } from "../../src/ops/arithmetic.js";
import { ifElse, loop, scan } from "../../src/ops/control.js";
import { erf, gelu } from "../../src/ops/erf.js";
import { greater } from "../../src/ops/logic.js";
import { cast } from "../../src/ops/reshape.js";
import { tan, tanh } from "../../src/ops/trigonometry.js";
import { hasOrtKernel } from "../../src/runtime/kernels.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";

/** A loop within a loop, a branch and a scan in it, reading values of every scope. */
function nested(): Graph {
  const b = new Builder();
  const x = b.input("x", "float64", [2, 3]);
  const weights = b.constant(tensor("float64", [3], [0.5, -1, 2]));
  const scaled = mul(b, x, weights);
  const { carried, scans } = loop(b, { trips: 2, carried: [x], length: 2 }, (outer, i, [state]) => {
    const shift = mul(outer, cast(outer, i, "float64"), weights);
    const inner = loop(outer, { trips: 3, carried: [state!] }, (scope, _, [value]) => {
      const moved = add(scope, tanh(scope, value!), sub(scope, scaled, shift));
      const [chosen] = ifElse(
        scope,
        greater(scope, i, 0),
        (branch) => [mul(branch, moved, shift)],
        () => [moved],
      );
      return { carried: [chosen!] };
    });
    const sums = scan(outer, { carried: [weights], inputs: [inner.carried[0]!] }, (scope, [sum], [row]) => {
      const next = add(scope, sum!, mul(scope, row!, shift));
      return { carried: [next], scans: [next] };
    });
    return { carried: [sums.scans[0]!], scans: [sums.carried[0]!] };
  });
  return b.graph({ y: carried[0]!, all: scans[0]! }, "nested");
}

describe("passes", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  async function run(graph: Graph, x: Tensor): Promise<number[][]> {
    const executable = await runtime.compile(graph);
    const results = await executable.run({ x: runtime.upload(x) });
    const lists = await Promise.all(
      graph.outputs.map(async ({ name }) => numbers(await runtime.download(results[name]!))),
    );
    await executable.release();
    return lists;
  }
  const point = tensor("float64", [2, 3], [0.1, -0.2, 0.3, 0.4, 0.5, -0.6]);

  it("a graph rebuilt computes the same, with the same nodes and the same bytes", async () => {
    const graph = nested();
    const again = rebuild(graph);
    expect(await run(again, point)).to.deep.equal(await run(graph, point));
    expect(countNodes(again)).to.equal(countNodes(graph));
    expect(again.inputs.map(({ name, shape }) => ({ name, shape }))).to.deep.equal([
      { name: "x", shape: [2, 3] },
    ]);
    expect(again.name).to.equal("nested");
    expect(encode(rebuild(again))).to.deep.equal(encode(again));
  });

  it("keeps the length of a loop's scans", () => {
    const [, all] = rebuild(nested()).outputs;
    expect(all!.value.shape).to.deep.equal([2, 3]);
  });

  it("rewrites nodes in bodies too", async () => {
    const graph = nested();
    const doubled = rebuild(graph, (b, node, inputs) =>
      node.op === Mul ? [add(b, b.apply(Mul, inputs), b.apply(Mul, inputs))] : null,
    );
    const halved = rebuild(doubled, (b, node, inputs) =>
      node.op === Mul ? [mul(b, b.apply(Mul, inputs), 0.5)] : null,
    );
    expect(await run(doubled, point)).not.to.deep.equal(await run(graph, point));
    expect(await run(halved, point)).to.deep.equal(await run(graph, point));
  });

  it("inlines a graph as a function, as often as one likes", async () => {
    const inner = new Builder();
    const x = inner.input("x", "float64", [2, 3]);
    const f = inner.graph({ y: add(inner, mul(inner, x, x), 1) });
    const b = new Builder();
    const z = b.input("x", "float64", [2, 3]);
    const [once] = inline(b, f, [z]);
    const [twice] = inline(b, f, [once!]);
    expect(inline(b, f, [z])[0]).to.equal(once);
    const [result] = await run(b.graph({ y: twice! }), point);
    expect(result![0]).to.be.closeTo((0.1 ** 2 + 1) ** 2 + 1, 1e-15);
  });

  it("decomposes until all is native, in bodies and through decompositions that need each other", () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2]);
    const { carried } = loop(b, { trips: 2, carried: [x] }, (inner, _, [state]) => ({
      carried: [add(inner, mish(inner, state!), tan(inner, gelu(inner, erf(inner, state!))))],
    }));
    const left = (graph: Graph): string[] =>
      nodesOf(graph).flatMap((node) => [
        ...(hasOrtKernel(node) ? [] : [node.op.type]),
        ...subgraphsOf(node.attributes).flatMap(left),
      ]);
    const graph = b.graph({ y: carried[0]! });
    expect(left(graph).sort()).to.deep.equal(["Erf", "Gelu", "Mish", "Tan"]);
    expect(left(decompose(graph, hasOrtKernel))).to.deep.equal([]);
  });

  it("leaves native operators alone", () => {
    const graph = nested();
    expect(encode(decompose(graph, () => true))).to.deep.equal(encode(rebuild(graph)));
  });
});
