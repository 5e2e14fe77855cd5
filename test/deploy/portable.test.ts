import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { portable } from "../../src/deploy/portable.js";
import { Builder } from "../../src/graph/builder.js";
import { encode } from "../../src/graph/encode.js";
import type { Graph, Value } from "../../src/graph/graph.js";
import { add, div, mul, neg } from "../../src/ops/arithmetic.js";
import { abs } from "../../src/ops/elementwise.js";
import { matmul } from "../../src/ops/linalg.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";
import { bareSession } from "./bare.js";

/** Functions of x [2, 2] that ONNX Runtime's optimiser computes with a constant in float32, and what is right for x = 1. */
const cases: Readonly<Record<string, [(b: Builder, x: Value) => Value, number]>> = {
  "a factor before a product of matrices": [(b, x) => matmul(b, mul(b, x, 1 / 3), x), 2 / 3],
  "factors before both": [(b, x) => matmul(b, mul(b, x, 1 / 3), mul(b, x, 1 / 7)), 2 / 21],
  "a factor behind it": [(b, x) => neg(b, mul(b, matmul(b, x, abs(b, x)), 1 / 3)), -2 / 3],
  "a divisor before it": [(b, x) => matmul(b, div(b, x, 3.3), x), 2 / 3.3],
  "a factor near 1": [(b, x) => abs(b, mul(b, neg(b, x), 1 - 1e-9)), 1 - 1e-9],
  "a summand near 0": [(b, x) => abs(b, add(b, mul(b, abs(b, x), 1e-50), 1e-50)), 2e-50],
};

const ones: Tensor = tensor("float64", [2, 2], [1, 1, 1, 1]);

function graphOf(f: (b: Builder, x: Value) => Value): Graph {
  const b = new Builder();
  return b.graph({ y: f(b, b.input("x", "float64", [2, 2])) });
}

describe("constants in float64 on ONNX Runtime", () => {
  for (const [what, [f, right]] of Object.entries(cases)) {
    // a rounding or two of float64; as float32 the constant would be wrong by 3e-8
    const expectRight = (y: Tensor) => {
      for (const value of numbers(y)) expect(value / right).to.be.closeTo(1, 4e-16);
    };

    it(`are not rounded in a file that anybody runs: ${what}`, async () => {
      const session = await bareSession(encode(portable(graphOf(f))));
      expectRight((await session.run({ x: ones })).y!);
    });

    it(`are not rounded by ort-cpu: ${what}`, async () => {
      expectRight((await runGraph(await ortNode(), graphOf(f), { x: ones })).y!);
    });
  }
});
