import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { type Graph, type Node, nodesOf, type Value } from "../../src/graph/graph.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { ifElse, Loop, loop, scan } from "../../src/ops/control.js";
import { greater, less } from "../../src/ops/logic.js";
import { cast } from "../../src/ops/reshape.js";
import { sin } from "../../src/ops/trigonometry.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";

describe("control", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  async function run(graph: Graph, feeds: Record<string, Tensor>): Promise<Record<string, number[]>> {
    const executable = await runtime.compile(graph);
    const given = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, runtime.upload(t)]));
    const results = await executable.run(given);
    const named: Record<string, number[]> = {};
    for (const name in results) named[name] = numbers(await runtime.download(results[name]!));
    await executable.release();
    return named;
  }

  it("If runs one branch, which reads the enclosing scope", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2]);
    const t = b.input("t", "float64", []);
    const [y, z] = ifElse(
      b,
      greater(b, t, 0),
      (inner) => [mul(inner, x, t), x],
      (inner) => [add(inner, x, t), b.constant(tensor("float64", [2], [7, 8]))],
    );
    const graph = b.graph({ y: y!, z: z! });
    const point = tensor("float64", [2], [1, 2]);
    expect(await run(graph, { x: point, t: tensor("float64", [], [3]) })).to.deep.equal({
      y: [3, 6],
      z: [1, 2],
    });
    expect(await run(graph, { x: point, t: tensor("float64", [], [-3]) })).to.deep.equal({
      y: [-2, -1],
      z: [7, 8],
    });
  });

  it("Loop carries values, stacks scans, and stops when told", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", []);
    const { carried, scans } = loop(b, { trips: 10, carried: [x] }, (inner, i, [state]) => {
      const next = add(inner, state!, cast(inner, i, "float64"));
      return { carried: [next], scans: [next], proceed: less(inner, next, 5) };
    });
    const graph = b.graph({ y: carried[0]!, all: scans[0]! });
    expect(await run(graph, { x: tensor("float64", [], [0]) })).to.deep.equal({ y: [6], all: [0, 1, 3, 6] });
  });

  it("Scan walks along leading axes, forwards or backwards", async () => {
    for (const reverse of [false, true]) {
      const b = new Builder();
      const x = b.input("x", "float64", [3, 2]);
      const start = b.input("start", "float64", [2]);
      const { carried, scans } = scan(
        b,
        { carried: [start], inputs: [x], reverse },
        (inner, [sum], [row]) => {
          const next = add(inner, sum!, row!);
          return { carried: [next], scans: [next] };
        },
      );
      expect(scans[0]!.shape).to.deep.equal([3, 2]);
      const results = await run(b.graph({ last: carried[0]!, all: scans[0]! }), {
        x: tensor("float64", [3, 2], [1, 2, 3, 4, 5, 6]),
        start: tensor("float64", [2], [0, 10]),
      });
      const all = reverse ? [9, 22, 8, 20, 5, 16] : [1, 12, 4, 16, 9, 22];
      expect(results).to.deep.equal({ last: [9, 22], all });
    }
  });

  it("what a body computes of the enclosing scope alone is computed once, outside", () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2]);
    const { carried } = loop(b, { trips: 3, carried: [x] }, (inner, _, [state]) => ({
      carried: [add(inner, state!, sin(inner, mul(inner, x, 2)))],
    }));
    const graph = b.graph({ y: carried[0]! });
    const types = (nodes: readonly Node[]) => nodes.map((node) => node.op.type);
    expect(types(nodesOf(graph))).to.deep.equal(["Mul", "Sin", "Loop"]);
    const node = nodesOf(graph).find(({ op }) => op === Loop)!;
    expect(types(nodesOf(node.attributes.body as Graph))).to.deep.equal(["Add"]);
    expect(node.captures.map((value: Value) => value.node?.op.type)).to.include("Sin");
  });

  it("loops nest, and inner bodies read all enclosing scopes", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", []);
    const { carried } = loop(b, { trips: 2, carried: [x] }, (outer, i, [state]) => {
      const offset = add(outer, cast(outer, i, "float64"), x);
      const inner = loop(outer, { trips: 3, carried: [state!] }, (scope, _, [value]) => ({
        carried: [add(scope, add(scope, value!, offset), x)],
      }));
      return { carried: inner.carried };
    });
    // each inner step adds i + 2 x: 1 + 3 (0 + 2) + 3 (1 + 2)
    expect(await run(b.graph({ y: carried[0]! }), { x: tensor("float64", [], [1]) })).to.deep.equal({
      y: [16],
    });
  });
});
