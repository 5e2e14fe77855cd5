import { expect } from "chai";
import { withoutUnusedCarries } from "../../src/autodiff/unused-carries.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { countNodes, type Graph, nodesOf, type Value } from "../../src/graph/graph.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { Loop, loop } from "../../src/ops/control.js";
import { less } from "../../src/ops/logic.js";
import { jit } from "../../src/runtimes/jit/jit.js";

async function run(graph: Graph, x: readonly number[]): Promise<number[][]> {
  const runtime = jit();
  const executable = await runtime.compile(graph);
  const found = await executable.run({ x: runtime.upload(tensor("float64", [x.length], x)) });
  const values = await Promise.all(
    Object.values(found).map(async (value) => numbers(await runtime.download(value))),
  );
  await executable.release();
  return values;
}

const carriedBy = (graph: Graph): number[] =>
  nodesOf(graph)
    .filter(({ op }) => op === Loop)
    .map(({ inputs }) => inputs.length - 2);

/** Loops whose later values depend on the earlier ones by `step`; `chosen` come out. */
function example(
  chosen: readonly number[],
  step: (b: Builder, values: readonly Value[]) => { carried: Value[]; scans?: Value[]; proceed?: Value },
  carried: number,
): Graph {
  const b = new Builder();
  const x = b.input("x", "float64", [3]);
  const start = Array.from({ length: carried }, (_, k) => mul(b, x, k + 1));
  const { carried: after, scans } = loop(b, { trips: 5, carried: start }, (inner, _i, values) =>
    step(inner, values),
  );
  const all = [...after, ...scans];
  return b.graph(Object.fromEntries(chosen.map((k) => [`out${k}`, all[k]!])));
}

describe("loops that carry what nobody needs", () => {
  const x = [0.5, -1, 2];

  it("lose it, with the work for it and what it alone reads", async () => {
    const graph = example(
      [0],
      (b, [u, v, w]) => ({
        carried: [mul(b, u!, 0.9), add(b, v!, mul(b, u!, w!)), mul(b, w!, w!)],
        scans: [add(b, v!, 1)],
      }),
      3,
    );
    const less = withoutUnusedCarries(graph);
    expect([carriedBy(graph), carriedBy(less)]).to.deep.equal([[3], [1]]);
    expect(countNodes(less)).to.be.below(countNodes(graph));
    expect(await run(less, x)).to.deep.equal(await run(graph, x));
  });

  it("keep what another one reads that is needed, and what ends them", async () => {
    const graph = example(
      [0],
      (b, [u, v, w]) => ({
        carried: [add(b, u!, v!), mul(b, v!, 0.5), mul(b, w!, 2)],
        proceed: less(b, reduceSum(b, w!), b.scalar("float64", 40)),
      }),
      3,
    );
    expect(withoutUnusedCarries(graph)).to.equal(graph);
  });

  it("are looked at within each other, and where one starts with what another leaves", async () => {
    const b = new Builder();
    const x_ = b.input("x", "float64", [3]);
    const first = loop(b, { trips: 3, carried: [x_, mul(b, x_, 2)] }, (inner, _i, [u, v]) => {
      const { carried, scans } = loop(inner, { trips: 2, carried: [u!, v!] }, (deep, _k, [p, q]) => ({
        carried: [mul(deep, p!, 1.1), add(deep, q!, p!)],
        scans: [q!],
      }));
      return { carried: [carried[0]!, add(inner, carried[1]!, reduceSum(inner, scans[0]!, [0]))] };
    });
    const second = loop(b, { trips: 2, carried: first.carried }, (inner, _i, [u, v]) => ({
      carried: [add(inner, u!, 1), mul(inner, v!, v!)],
    }));
    const graph = b.graph({ out: second.carried[0]! });
    const less = withoutUnusedCarries(graph);
    expect([carriedBy(graph), carriedBy(less)]).to.deep.equal([
      [2, 2],
      [1, 1],
    ]);
    expect(await run(less, x)).to.deep.equal(await run(graph, x));
  });
});
