import { expect } from "chai";
import { region, withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { type Graph, nodesOf, subgraphsOf, type Value } from "../../src/graph/graph.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { ifElse, loop, scan } from "../../src/ops/control.js";
import { abs, sqrt } from "../../src/ops/elementwise.js";
import { greater } from "../../src/ops/logic.js";
import { cast } from "../../src/ops/reshape.js";
import { gather } from "../../src/ops/slicing.js";
import { tell, told } from "../../src/ops/told.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";

const x: Tensor = tensor("float64", [4], [1, -5, 3, 2]);

/** What is told in a graph over x, and what comes of it beside. */
async function toldOver(build: (b: Builder, x: Value) => Value, runtime = jit()) {
  const b = new Builder();
  const result = build(b, b.input("x", "float64", [4]));
  const graph = withoutRegions(b.graph({ result, told: told(b).residual! }));
  const found = await runGraph(runtime, graph, { x });
  return { told: numbers(found.told!)[0], result: numbers(found.result!)[0] };
}

/** Tells |xᵢ| for each i, and adds up all of them. */
const eachTold = (b: Builder, all: Value) =>
  loop(b, { trips: 4, carried: [b.scalar("float64", 0)] }, (inner, i, [sum]) => {
    const own = abs(inner, gather(inner, all, i));
    tell(inner, "residual", own);
    return { carried: [add(inner, sum!, own)] };
  }).carried[0]!;

describe("what parts of a graph tell of themselves", () => {
  it("is the largest of all that is told in one scope, in the wider of its types", async () => {
    const found = await toldOver((b, all) => {
      const at = (i: number) => gather(b, all, b.scalar("int64", i));
      tell(b, "residual", cast(b, at(3), "float32"));
      tell(b, "residual", at(2));
      tell(b, "residual", at(0));
      return at(0);
    });
    expect(found.told).to.equal(3);
  });

  it("rises out of loops in loops, out of scans, branches and regions, as the largest of all iterations", async () => {
    const nested = (b: Builder, all: Value) =>
      loop(b, { trips: 2, carried: [b.scalar("float64", 0)] }, (inner, k, [sum]) => ({
        carried: [
          add(inner, sum!, eachTold(inner, mul(inner, all, cast(inner, add(inner, k, 1), "float64")))),
        ],
      })).carried[0]!;
    const walked = (b: Builder, all: Value) =>
      scan(b, { carried: [b.scalar("float64", 0)], inputs: [all] }, (inner, [sum], [own]) => {
        tell(inner, "residual", abs(inner, own!));
        return { carried: [add(inner, sum!, own!)], scans: [own!] };
      }).carried[0]!;
    const chosen = (b: Builder, all: Value) => {
      const first = gather(b, all, b.scalar("int64", 0));
      return ifElse(
        b,
        greater(b, first, 0),
        (inner) => [eachTold(inner, all)],
        () => [first],
      )[0]!;
    };
    const held = (b: Builder, all: Value) =>
      region(b, [all], {
        name: "held",
        build: (inner, [own]) => ({ outputs: [eachTold(inner, own!)], saved: [own!] }),
        pull: () => [null],
      })[0]!;
    for (const runtime of [jit(), await ortNode()]) {
      expect(await toldOver(eachTold, runtime)).to.deep.equal({ told: 5, result: 11 });
      expect(await toldOver(nested, runtime)).to.deep.equal({ told: 10, result: 33 });
      expect(await toldOver(walked, runtime)).to.deep.equal({ told: 5, result: 1 });
      expect(await toldOver(chosen, runtime)).to.deep.equal({ told: 5, result: 11 });
      expect(await toldOver(held, runtime)).to.deep.equal({ told: 5, result: 11 });
    }
  });

  it("is told once to whoever asks, and is not of what rises further", () => {
    const b = new Builder();
    const all = b.input("x", "float64", [4]);
    loop(b, { trips: 2, carried: [] }, (inner) => {
      tell(inner, "drift", gather(inner, all, inner.scalar("int64", 0)));
      expect(Object.keys(told(inner))).to.deep.equal(["drift"]);
      return { carried: [] };
    });
    expect(told(b)).to.deep.equal({});
  });

  it("leaves gradients alone: one of √0 is told, whose slope is infinite", async () => {
    for (const walk of [
      (b: Builder, all: Value) =>
        loop(b, { trips: 4, carried: [b.scalar("float64", 0)] }, (inner, i, [sum]) => {
          const own = gather(inner, all, i);
          tell(inner, "residual", sqrt(inner, mul(inner, own, 0)));
          return { carried: [add(inner, sum!, mul(inner, own, own))] };
        }).carried[0]!,
      (b: Builder, all: Value) =>
        scan(b, { carried: [b.scalar("float64", 0)], inputs: [all] }, (inner, [sum], [own]) => {
          tell(inner, "residual", sqrt(inner, mul(inner, own!, 0)));
          return { carried: [add(inner, sum!, mul(inner, own!, own!))] };
        }).carried[0]!,
    ]) {
      const b = new Builder();
      const all = b.input("x", "float64", [4]);
      const [dx] = pullback(b, [walk(b, all)], [b.scalar("float64", 1)], [all]);
      const found = await runGraph(jit(), withoutRegions(b.graph({ dx: dx! })), { x });
      expect(numbers(found.dx!)).to.deep.equal([2, -10, 6, 4]);
    }
  });

  it("costs nothing where nobody asks", () => {
    const count = (graph: Graph): number =>
      nodesOf(graph).reduce(
        (sum, node) => sum + 1 + subgraphsOf(node.attributes).reduce((all, body) => all + count(body), 0),
        0,
      );
    const sizeOf = (tells: boolean) => {
      const b = new Builder();
      const all = b.input("x", "float64", [4]);
      const [sum] = region(b, [all], {
        name: "sum",
        pull: () => [null],
        build: (inner, [own]) => ({
          outputs: loop(inner, { trips: 4, carried: [inner.scalar("float64", 0)] }, (body, i, [before]) => {
            const one = gather(body, own!, i);
            if (tells) tell(body, "residual", sqrt(body, one));
            return { carried: [add(body, before!, one)] };
          }).carried,
        }),
      });
      return count(withoutRegions(b.graph({ sum: sum! })));
    };
    expect(sizeOf(true)).to.equal(sizeOf(false));
  });
});
