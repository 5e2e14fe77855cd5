import { expect } from "chai";
import { magnitude } from "../../src/chains/magnitude.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";

describe("the largest magnitude", () => {
  it("is ∞ where a number is NaN, wherever it stands, on jit and ONNX Runtime", async () => {
    for (const runtime of [jit(), await ortNode()]) {
      for (const dtype of ["float32", "float64"] as const) {
        const b = new Builder();
        const x = b.input("x", dtype, [3, 4]);
        const graph = b.graph({ all: magnitude(b, x), each: magnitude(b, x, [1]) });
        const rows = [1, -2, 0, 1, 3, 0, Number.NaN, 1, Number.NaN, 1, 2, 3];
        const { all, each } = await runGraph(runtime, graph, { x: tensor(dtype, [3, 4], rows) });
        expect(numbers(all!)).to.deep.equal([Number.POSITIVE_INFINITY]);
        expect(numbers(each!)).to.deep.equal([2, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
      }
    }
  });
});
