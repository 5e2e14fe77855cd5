import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Attributes, Value } from "../../src/graph/graph.js";
import { opset } from "../../src/ops/opset.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";

/** Where there is no derivative, or where formulas overflow: operator, operands, and the gradients of Σ y by them. */
const table: readonly (readonly [
  string,
  string,
  readonly (readonly number[] | Tensor)[],
  readonly (readonly number[])[],
  Attributes?,
])[] = [
  ["powers of 0", "Pow", [[0, 0, 0], tensor("float64", [3], [0, 2, 3])], [[0, 0, 0]]],
  ["the exponent of 0", "Pow", [[0], [2]], [[0], [0]]],
  ["|x| at 0: 0", "Abs", [[0]], [[0]]],
  ["Relu at 0: 0", "Relu", [[0]], [[0]]],
  ["LeakyRelu at 0: that of above", "LeakyRelu", [[0]], [[1]]],
  ["Elu at 0: that of above", "Elu", [[0]], [[1]]],
  ["equal operands of Max: the first takes all", "Max", [[2], [2]], [[1], [0]]],
  ["equal operands of Min: the first takes all", "Min", [[2], [2]], [[1], [0]]],
  ["three equal operands of Max", "Max", [[2], [2], [2]], [[1], [0], [0]]],
  ["ties within ReduceMax share", "ReduceMax", [[3, 1, 3]], [[0.5, 0, 0.5]]],
  ["ties within ReduceMin share", "ReduceMin", [[1, 1, 1, 1]], [[0.25, 0.25, 0.25, 0.25]]],
  [
    "Clip at its bounds passes all on",
    "Clip",
    [[-1, 2], tensor("float64", [], [-1]), tensor("float64", [], [2])],
    [[1, 1]],
  ],
  ["a norm at 0: 0", "ReduceL2", [[0, 0]], [[0, 0]]],
  ["Sqrt at 0: its limit", "Sqrt", [[0]], [[Infinity]]],
  ["Softplus far out", "Softplus", [[-1000, 1000]], [[0, 1]]],
  ["Sigmoid far out", "Sigmoid", [[-1000, 1000]], [[0, 0]]],
  ["Elu far out", "Elu", [[-1000, 1000]], [[0, 1]]],
  ["Mish far out", "Mish", [[-1000, 1000]], [[0, 1]]],
  ["Gelu far out", "Gelu", [[-1000, 1000]], [[0, 1]]],
  ["Gelu by tanh far out", "Gelu", [[-1000, 1000]], [[0, 1]], { approximate: "tanh" }],
  ["Tanh far out", "Tanh", [[-1000, 1000]], [[0, 0]]],
  ["Atan far out", "Atan", [[-1e200, 1e200]], [[0, 0]]],
  ["ReduceLogSumExp of large numbers", "ReduceLogSumExp", [[1000, -1000]], [[1, 0]]],
];

describe("derivatives at kinks and far out", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  for (const [name, type, operands, expected, attributes] of table) {
    it(name, async () => {
      const b = new Builder();
      const feeds: Record<string, Tensor> = {};
      const wrt: Value[] = [];
      const values = operands.map((operand, i) => {
        if ("dtype" in operand) return b.constant(operand);
        feeds[`x${i}`] = tensor("float64", [operand.length], operand);
        wrt.push(b.input(`x${i}`, "float64", [operand.length]));
        return wrt.at(-1)!;
      });
      const y = b.apply(opset.get(type)!, values, { ...attributes });
      const size = (y.shape as number[]).reduce((p, d) => p * d, 1);
      const ones = b.constant(tensor("float64", y.shape as number[], new Array(size).fill(1)));
      const gradients = pullback(b, [y], [ones], wrt);
      const executable = await runtime.compile(
        b.graph(Object.fromEntries(gradients.map((g, i) => [`g${i}`, g!]))),
      );
      const results = await executable.run(
        Object.fromEntries(Object.entries(feeds).map(([input, t]) => [input, runtime.upload(t)])),
      );
      for (const [i, gradient] of expected.entries()) {
        const found = numbers(await runtime.download(results[`g${i}`]!));
        // + 0 makes no difference between 0 and −0
        expect(found.map((value) => value + 0)).to.deep.equal([...gradient]);
      }
      await executable.release();
    });
  }
});
