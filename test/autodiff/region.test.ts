import { expect } from "chai";
import { region, stopGradient, withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { GraphError, nodesOf, type Value } from "../../src/graph/graph.js";
import { add, div, mul, sub } from "../../src/ops/arithmetic.js";
import { expand, reduceSum } from "../../src/ops/broadcast.js";
import { ifElse, loop } from "../../src/ops/control.js";
import { exp } from "../../src/ops/elementwise.js";
import { greater } from "../../src/ops/logic.js";
import { sin } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { runGraph } from "../support/evaluate.js";

/** x ↦ sin(x), with a way back that says it is three times as steep: easily told from the true one. */
const steep = (b: Builder, x: Value): Value =>
  region(b, [x], {
    name: "steep",
    build: (inner, [y]) => ({ outputs: [sin(inner, y!)] }),
    pull: (scope, _, [g]) => [mul(scope, g!, 3)],
  })[0]!;

/** √a by Newton's iteration, differentiated by the implicit function theorem: dx = da / 2x. */
const root = (b: Builder, a: Value): Value =>
  region(b, [a], {
    name: "root",
    build: (inner, [y]) => ({
      outputs: loop(inner, { trips: 30, carried: [y!] }, (deeper, _, [x]) => ({
        carried: [mul(deeper, add(deeper, x!, div(deeper, y!, x!)), 0.5)],
      })).carried,
    }),
    pull: (scope, { outputs: [x] }, [g]) => [div(scope, g!, mul(scope, x!, 2))],
  })[0]!;

/** f(x), f′(x), f″(x) of a function of one number, by pullbacks. */
async function derivatives(f: (b: Builder, x: Value) => Value, at: number): Promise<number[]> {
  const b = new Builder();
  const x = b.input("x", "float64", []);
  const y = f(b, x);
  const one = b.scalar("float64", 1);
  const derivative = (of: Value) => pullback(b, [of], [one], [x])[0] ?? b.scalar("float64", 0);
  const [first] = [derivative(y)];
  const graph = withoutRegions(b.graph({ y, first, second: derivative(first) }));
  const found = await runGraph(jit(), graph, { x: tensor("float64", [], [at]) });
  return [found.y!, found.first!, found.second!].map((value) => numbers(value)[0]!);
}

const expectClose = (actual: readonly number[], expected: readonly number[]) => {
  // a few operations of float64, of numbers of order one
  for (const [i, value] of expected.entries()) expect(actual[i]).to.be.closeTo(value, 1e-12);
};

describe("a region", () => {
  it("computes what it is built of, and is pulled back by its own rule", async () => {
    expectClose(await derivatives(steep, 0.5), [Math.sin(0.5), 3, 0]);
  });

  it("can be differentiated twice, where its way back uses what it put out: √x by Newton's iteration", async () => {
    expectClose(await derivatives(root, 2), [Math.SQRT2, 1 / (2 * Math.SQRT2), -1 / (4 * 2 ** 1.5)]);
  });

  it("is differentiated through its nodes where the second derivative asks for what it saved", async () => {
    const saving = (b: Builder, x: Value) =>
      region(b, [x], {
        name: "saving",
        build(inner, [y]) {
          const saved = exp(inner, y!);
          return { outputs: [mul(inner, saved, 2)], saved: [saved] };
        },
        pull: (scope, { saved: [e] }, [g]) => [mul(scope, g!, mul(scope, e!, 2))],
      })[0]!;
    const e = 2 * Math.exp(0.3);
    expectClose(await derivatives(saving, 0.3), [e, e, e]);
  });

  it("keeps its rule in the body of a loop: each of three iterations is 3 times as steep", async () => {
    const f = (b: Builder, x: Value) =>
      loop(b, { trips: 3, carried: [x] }, (inner, _, [y]) => ({ carried: [steep(inner, y!)] })).carried[0]!;
    expectClose(await derivatives(f, 0.5), [Math.sin(Math.sin(Math.sin(0.5))), 27, 0]);
  });

  it("keeps its rule in the branch of an If", async () => {
    const f = (b: Builder, x: Value) =>
      ifElse(
        b,
        greater(b, x, 0),
        (inner) => [steep(inner, x)],
        (inner) => [sin(inner, x)],
      )[0]!;
    expectClose(await derivatives(f, 0.5), [Math.sin(0.5), 3, 0]);
    expectClose(await derivatives(f, -0.5), [-Math.sin(0.5), Math.cos(0.5), Math.sin(0.5)]);
  });

  it("may hold others, which are pulled back by their rules where its own goes through its nodes", async () => {
    const f = (b: Builder, x: Value) =>
      region(b, [x], {
        name: "outer",
        build: (inner, [y]) => ({ outputs: [mul(inner, steep(inner, y!), 2)] }),
        pull: (scope, { inputs: [y] }, [g]) => pullback(scope, [mul(scope, steep(scope, y!), 2)], [g!], [y!]),
      })[0]!;
    expectClose(await derivatives(f, 0.5), [2 * Math.sin(0.5), 6, 0]);
  });

  it("adds to the cotangents of what is used beside it", async () => {
    const f = (b: Builder, x: Value) => add(b, steep(b, x), mul(b, x, x));
    expectClose(await derivatives(f, 0.5), [Math.sin(0.5) + 0.25, 4, 2]);
  });

  it("leaves nothing of itself in the graph that runs", () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2]);
    const graph = withoutRegions(b.graph({ y: reduceSum(b, steep(b, x)) }));
    expect(nodesOf(graph).map(({ op }) => op.type)).to.deep.equal(["Sin", "ReduceSum"]);
  });

  it("may read what follows from constants alone, also where that is too large to be folded", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2]);
    const build = (inner: Builder, [y]: readonly Value[]) => {
      // more than are computed while a graph is built, and so a node of the graph around
      const many = expand(inner, inner.scalar("float64", 0.5), [2 ** 20 + 1]);
      return { outputs: [mul(inner, y!, reduceSum(inner, many))] };
    };
    const y = region(b, [x], { name: "wide", build, pull: (_, __, [g]) => [g!] });
    const graph = withoutRegions(b.graph({ y: y[0]! }));
    const found = await runGraph(jit(), graph, { x: tensor("float64", [2], [1, 2]) });
    expect(numbers(found.y!)).to.deep.equal([2 ** 19 + 0.5, 2 ** 20 + 1]);
  });

  it("refuses to read what is not given to it, whose gradient would be lost", () => {
    const b = new Builder();
    const [x, w] = [b.input("x", "float64", [2]), b.input("w", "float64", [2])];
    const build = (inner: Builder, [y]: readonly Value[]) => ({ outputs: [mul(inner, y!, w)] });
    expect(() => region(b, [x], { name: "leaky", build, pull: (_, __, [g]) => [g!] })).to.throw(
      GraphError,
      'The region "leaky" reads a value float64[2] of the graph around it',
    );
  });
});

describe("stopGradient", () => {
  it("is the identity with derivative 0: d/dx x (x − [x]) = x − [x] + x", async () => {
    const f = (b: Builder, x: Value) => mul(b, x, sub(b, x, mul(b, stopGradient(b, x), 0.5)));
    // x (x − x/2) with x/2 held: the derivative is 2x − x/2
    expectClose(await derivatives(f, 2), [2, 3, 2]);
  });
});
