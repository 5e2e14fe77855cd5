import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { add, div, mul, sub } from "../../src/ops/arithmetic.js";
import { dimsOf } from "../../src/ops/dims.js";
import { ReduceProd } from "../../src/ops/reduce.js";
import { reshape, shapeOf, transpose } from "../../src/ops/reshape.js";
import { concat, gather, Split } from "../../src/ops/slicing.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";

describe("what is computed of shapes", () => {
  const start = () => {
    const b = new Builder();
    const y = b.input("y", "float64", ["batch", 6, 4]);
    return { b, y, batch: gather(b, shapeOf(b, y), 0) };
  };

  it("is known as products, sums and whole quotients of the batch", () => {
    const { b, y, batch } = start();
    const heads = mul(b, batch, 2);
    expect(dimsOf(heads)).to.deep.equal(["2*batch"]);
    expect(dimsOf(add(b, heads, 1))).to.deep.equal(["2*batch+1"]);
    expect(dimsOf(sub(b, add(b, heads, 1), batch))).to.deep.equal(["batch+1"]);
    expect(dimsOf(div(b, heads, 2))).to.deep.equal(["batch"]);
    expect(dimsOf(b.apply(ReduceProd, [shapeOf(b, y)], { keepdims: 0 }))).to.deep.equal(["24*batch"]);
  });

  it("is not guessed where it depends on the number: a quotient with a remainder, a difference as a factor", () => {
    const { b, batch } = start();
    expect(dimsOf(div(b, batch, 2))).to.equal(null);
    expect(dimsOf(div(b, b.scalar("int64", 12), batch))).to.equal(null);
  });

  it("is found in one pass, however often a value is used on the way", () => {
    const { b, batch } = start();
    let sum: Value = batch;
    for (let i = 0; i < 60; i++) sum = sub(b, add(b, sum, sum), sum);
    expect(dimsOf(sum)).to.deep.equal(["batch"]);
  });
});

describe("a batch that is folded, stacked and split", () => {
  let runtimes: Runtime[];
  before(async () => {
    runtimes = [jit(), await ortNode()];
  });

  it("comes out in its order on every runtime, with the gradient of the formula", async () => {
    const b = new Builder();
    const y = b.input("y", "float64", ["batch", 2]);
    const weight = b.input("weight", "float64", ["batch", 2]);
    // [y; y²], split again: y + y²
    const stacked = concat(b, [y, mul(b, y, y)], 0);
    expect(stacked.shape).to.deep.equal(["2*batch", 2]);
    const [first, second] = b.emit(Split, [stacked], { axis: 0, num_outputs: 2 }) as [Value, Value];
    expect(second.shape).to.deep.equal(["batch", 2]);
    // folded into the last axis and out again
    const folded = reshape(b, transpose(b, add(b, first, second), [1, 0]), [-1]);
    expect(folded.shape).to.deep.equal(["2*batch"]);
    const z = transpose(b, reshape(b, folded, [2, -1]), [1, 0]);
    expect(z.shape).to.deep.equal(["batch", 2]);
    const [dy] = pullback(b, [z], [weight], [y]);
    const graph = b.graph({ z, dy: dy! });
    for (const batch of [1, 3, 4]) {
      const values = Array.from({ length: 2 * batch }, (_, i) => i - 1.5);
      const weights = values.map((_, i) => i + 1);
      for (const runtime of runtimes) {
        const found = await runGraph(runtime, graph, {
          y: tensor("float64", [batch, 2], values),
          weight: tensor("float64", [batch, 2], weights),
        });
        // sums and products of halves are exact
        expect(numbers(found.z!)).to.deep.equal(values.map((v) => v + v * v));
        expect(numbers(found.dy!)).to.deep.equal(values.map((v, i) => weights[i]! * (1 + 2 * v)));
      }
    }
  });
});
