import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { regionWithWayBack } from "../../src/autodiff/way-back.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { GraphError, type Value } from "../../src/graph/graph.js";
import { mul } from "../../src/ops/arithmetic.js";
import { exp, sign } from "../../src/ops/elementwise.js";
import { tell, told } from "../../src/ops/told.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { runGraph } from "../support/evaluate.js";

/**
 * y = eˣ, which saves y and pulls back by it through an operator without a derivative. What the derivative of that is
 * to be, 5 ḡ, is easily told from the true one.
 */
const exponential = (b: Builder, x: Value) =>
  regionWithWayBack(b, [x], {
    name: "exponential",
    build(inner, [own]) {
      const y = exp(inner, own!);
      return { outputs: [y], saved: [y] };
    },
    pull(inner, { saved: [y] }, [g]) {
      tell(inner, "residual", mul(inner, y!, 2));
      return [mul(inner, g!, mul(inner, y!, sign(inner, y!)))];
    },
    again: (inner, [own], [g]) => [mul(inner, g!, mul(inner, own!, 5))],
  })[0]!;

describe("a region whose way back is a region", () => {
  it("is pulled back by its rule, and that is differentiated by the function given for it", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", []);
    const one = b.scalar("float64", 1);
    const [first] = pullback(b, [exponential(b, x)], [one], [x]);
    const [second] = pullback(b, [first!], [one], [x]);
    const graph = withoutRegions(b.graph({ first: first!, second: second! }));
    const found = await runGraph(jit(), graph, { x: tensor("float64", [], [0.3]) });
    expect(numbers(found.first!)[0]).to.be.closeTo(Math.exp(0.3), 1e-15);
    expect(numbers(found.second!)[0]).to.equal(5);
  });

  it("differentiates by the cotangents that come in, too: d(ȳ · 5x)/dȳ = 5x", async () => {
    const b = new Builder();
    const [x, g] = [b.input("x", "float64", []), b.input("g", "float64", [])];
    const [first] = pullback(b, [exponential(b, x)], [g], [x]);
    const [byG] = pullback(b, [first!], [b.scalar("float64", 1)], [g]);
    const graph = withoutRegions(b.graph({ byG: byG! }));
    const given = { x: tensor("float64", [], [0.3]), g: tensor("float64", [], [2]) };
    expect(numbers((await runGraph(jit(), graph, given)).byG!)[0]).to.equal(1.5);
  });

  it("tells of itself in the scope of the way back", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", []);
    const y = exponential(b, x);
    expect(told(b)).to.deep.equal({});
    pullback(b, [y], [b.scalar("float64", 1)], [x]);
    const found = await runGraph(jit(), withoutRegions(b.graph({ told: told(b).residual! })), {
      x: tensor("float64", [], [0]),
    });
    expect(numbers(found.told!)[0]).to.equal(2);
  });

  it("refuses a way back that reads the graph around it", () => {
    const b = new Builder();
    const [x, other] = [b.input("x", "float64", []), b.input("other", "float64", [])];
    const [y] = regionWithWayBack(b, [x], {
      name: "reading",
      build: (inner, [own]) => ({ outputs: [mul(inner, own!, 2)] }),
      pull: (inner, _, [g]) => [mul(inner, g!, other)],
      again: (_, __, [g]) => [g!],
    });
    expect(() => pullback(b, [y!], [b.scalar("float64", 1)], [x])).to.throw(
      GraphError,
      'The region "way back of reading" reads a value',
    );
  });
});
