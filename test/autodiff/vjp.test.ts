import { expect } from "chai";
import { MissingRuleError, pullback, vjp } from "../../src/autodiff/vjp.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { countNodes, GraphError } from "../../src/graph/graph.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { loop } from "../../src/ops/control.js";
import { exp } from "../../src/ops/elementwise.js";
import { matmul } from "../../src/ops/linalg.js";
import { greater, where } from "../../src/ops/logic.js";
import { argMax } from "../../src/ops/reduce.js";
import { cast } from "../../src/ops/reshape.js";
import { gather } from "../../src/ops/slicing.js";
import { sin, Tanh, tanh } from "../../src/ops/trigonometry.js";
import { ortNode } from "../../src/runtimes/ort-node.js";

const start = () => {
  const b = new Builder();
  return { b, x: b.input("x", "float64", [3]), y: b.input("y", "float64", [3]) };
};

describe("pullback", () => {
  it("gives null for what the outputs do not depend on", () => {
    const { b, x, y } = start();
    expect(pullback(b, [tanh(b, x)], [x], [y])).to.deep.equal([null]);
  });

  it("adds up the paths by which an operand is reached", () => {
    const { b, x } = start();
    const [g] = pullback(b, [add(b, x, x)], [b.constant(tensor("float64", [3], [1, 2, 3]))], [x]);
    expect(numbers(g!.constant!)).to.deep.equal([2, 4, 6]);
  });

  it("counts what is differentiated by as independent", () => {
    const { b, x } = start();
    const u = sin(b, x);
    const one = b.constant(tensor("float64", [3], [1, 1, 1]));
    const [du, dx] = pullback(b, [add(b, u, x)], [one], [u, x]);
    expect([du, dx]).to.deep.equal([one, one]);
  });

  it("hands the cotangent of an output that is differentiated by straight back", () => {
    const { b, x, y } = start();
    expect(pullback(b, [x], [y], [x])).to.deep.equal([y]);
  });

  it("takes null for the cotangent of an output that does not matter", () => {
    const { b, x, y } = start();
    expect(pullback(b, [sin(b, x), y], [null, x], [x, y])).to.deep.equal([null, x]);
  });

  it("refuses a cotangent of another type", () => {
    const { b, x } = start();
    const other = b.input("other", "float32", [3]);
    expect(() => pullback(b, [tanh(b, x)], [other], [x])).to.throw(
      GraphError,
      "float32[3] was given for float64[3]",
    );
    expect(() => pullback(b, [reduceSum(b, x)], [x], [x])).to.throw(
      GraphError,
      "float64[3] was given for float64[]",
    );
  });

  it("names the operator that has no rule", () => {
    const { b, x } = start();
    const { vjp: _, ...Ruleless } = Tanh;
    const y = b.apply({ ...Ruleless, type: "Ruleless" }, [x]);
    expect(() => pullback(b, [y], [x], [x])).to.throw(MissingRuleError, "Ruleless has no derivative yet");
  });

  it("does not mind operators without a rule off the path, nor selections by comparison", () => {
    const { b, x, y } = start();
    const chosen = gather(b, x, argMax(b, x));
    const output = where(b, greater(b, x, y), mul(b, x, chosen), cast(b, argMax(b, y), "float64"));
    expect(pullback(b, [output], [x], [x])[0]!.shape).to.deep.equal([3]);
  });

  it("goes through what a loop's body captures", () => {
    const { b, x, y } = start();
    const { carried } = loop(b, { trips: 2, carried: [y] }, (inner, _, [state]) => ({
      carried: [mul(inner, state!, x)],
    }));
    // y x²
    expect(pullback(b, [carried[0]!], [y], [x])[0]!.shape).to.deep.equal([3]);
  });
});

describe("vjp", () => {
  it("shares the evaluation with the pullback: the derivative of exp costs one node more", () => {
    const { b, x, y } = start();
    const { output, pullback: back } = vjp(b, (value) => exp(b, value), [x]);
    expect(countNodes(b.graph({ output, g: back(y)[0]! }))).to.equal(2);
  });

  it("of a vjp is the second derivative: Hessian times vector of a small network", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", [3]);
    const v = b.input("v", "float64", [3]);
    const w = b.constant(tensor("float64", [3, 2], [0.3, -0.2, 0.5, 0.1, -0.7, 0.4]));
    const one = b.scalar("float64", 1);
    const f = (value: typeof x) => reduceSum(b, tanh(b, matmul(b, value, w)));
    const slope = (value: typeof x) => vjp(b, f, [value]).pullback(one)[0]!;
    const [hv] = vjp(b, (value) => reduceSum(b, mul(b, slope(value), v)), [x]).pullback(one);
    const runtime = await ortNode();
    const executable = await runtime.compile(b.graph({ hv: hv! }));
    const at = [0.2, -0.4, 0.9];
    const direction = [1, 0.5, -2];
    const results = await executable.run({
      x: runtime.upload(tensor("float64", [3], at)),
      v: runtime.upload(tensor("float64", [3], direction)),
    });
    const result = numbers(await runtime.download(results.hv!));
    // H = W diag(−2 t (1 − t²)) Wᵀ with t = tanh(Wᵀ x)
    const rows = [0, 1, 2].map((i) => [
      w.constant!.data[2 * i] as number,
      w.constant!.data[2 * i + 1] as number,
    ]);
    const along = (column: number, vector: readonly number[]) =>
      rows.reduce((sum, row, i) => sum + row[column]! * vector[i]!, 0);
    rows.forEach((row, i) => {
      const expected = [0, 1].reduce((sum, column) => {
        const t = Math.tanh(along(column, at));
        return sum + row[column]! * -2 * t * (1 - t * t) * along(column, direction);
      }, 0);
      // a dozen roundings of numbers below 1
      expect(result[i]).to.be.closeTo(expected, 1e-15);
    });
  });
});
