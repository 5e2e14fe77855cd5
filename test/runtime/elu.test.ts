import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { type Graph, nodesOf } from "../../src/graph/graph.js";
import { elu } from "../../src/ops/activation.js";
import { eluByVectors } from "../../src/runtime/elu.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";

const [rows, columns] = [64, 65];
const special = [Infinity, -Infinity, NaN, 0, -0, 88, -88, 200, -200, 1e-30, -1e-30, 3e38, -3e38];
const x = tensor(
  "float32",
  [rows, columns],
  Array.from({ length: rows * columns }, (_, i) => special[i] ?? 6 * Math.sin(i)),
);

const graphOf = (
  shape: readonly number[],
  alpha: number,
  dtype: "float32" | "float64" = "float32",
): Graph => {
  const b = new Builder();
  return b.graph({ y: elu(b, b.input("x", dtype, shape), alpha) });
};
const types = (graph: Graph) => nodesOf(graph).map(({ op }) => op.type);

describe("Elu in operators that ONNX Runtime takes by vectors", () => {
  it("is written out for large arrays in float32 alone", () => {
    expect(types(eluByVectors(graphOf([rows, columns], 1)))).to.not.include("Elu");
    expect(types(eluByVectors(graphOf([rows, 1], 1)))).to.eql(["Elu"]);
    expect(types(eluByVectors(graphOf([rows, columns], 1, "float64")))).to.eql(["Elu"]);
  });

  for (const alpha of [1, 0.5]) {
    it(`has the numbers of the formula, infinities and NaN among them: α = ${alpha}`, async () => {
      const runtime = await ortNode();
      const all = numbers((await runGraph(runtime, graphOf([rows, columns], alpha), { x })).y!);
      numbers(x).forEach((value, i) => {
        const [found, expected] = [all[i]!, value < 0 ? alpha * Math.expm1(value) : value];
        // exp(x) near 1 is rounded before 1 is taken off, as by the kernel: half a unit of 1, and one of the result
        const tolerance = 2 ** -24 + 2 ** -23 * Math.abs(expected);
        if (!Number.isFinite(expected)) expect(found, `elu(${value})`).to.eql(expected);
        else expect(found, `elu(${value})`).to.be.closeTo(expected, tolerance);
      });
    });
  }

  it("has the numbers of the kernel, which small arrays go to", async () => {
    const runtime = await ortNode();
    const all = numbers((await runGraph(runtime, graphOf([rows, columns], 1), { x })).y!);
    const part: Tensor = tensor("float32", [1, columns], numbers(x).slice(0, columns));
    const small = numbers((await runGraph(runtime, graphOf([1, columns], 1), { x: part })).y!);
    small.forEach((value, i) => {
      if (!Number.isFinite(value)) expect(all[i]).to.eql(value);
      else expect(all[i]).to.be.closeTo(value, value === 0 ? 0 : 2 ** -22 * Math.abs(value) + 2 ** -24);
    });
  });
});
