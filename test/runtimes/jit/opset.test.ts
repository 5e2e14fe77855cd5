import { expect } from "chai";
import { isFloat, numbers, type Tensor } from "../../../src/core/tensor.js";
import { Builder } from "../../../src/graph/builder.js";
import type { Attributes, Op } from "../../../src/graph/graph.js";
import { onnxTypeNumber } from "../../../src/graph/types.js";
import type { Runtime } from "../../../src/runtime/runtime.js";
import { jit } from "../../../src/runtimes/jit/jit.js";
import { ortNode } from "../../../src/runtimes/ort-node.js";
import { operandsOf } from "../../ops/cases.js";
import { cases } from "../../ops/opset-cases.js";

/** Operands that must be known when a graph is built. */
const fixed: Readonly<Record<string, readonly number[]>> = {
  ...{ Expand: [1], Reshape: [1], Squeeze: [1], Unsqueeze: [1], Split: [1], Slice: [1, 2, 3, 4] },
  ...{ Pad: [1, 3], Tile: [1], CumSum: [1], Trilu: [1], OneHot: [1], Range: [0, 1, 2] },
  ...{ TopK: [1], Resize: [1, 2, 3] },
};

/** What a runtime computes for operands that it is given as inputs, so that nothing folds. */
async function computed(
  runtime: Runtime,
  op: Op,
  operands: readonly (Tensor | null)[],
  attributes: Attributes,
): Promise<Tensor[]> {
  const b = new Builder();
  const feeds: Record<string, Tensor> = {};
  const values = operands.map((value, i) => {
    if (value === null) return null;
    const isFixed = op.type.startsWith("Reduce") ? i === 1 : fixed[op.type]?.includes(i);
    if (isFixed) return b.constant(value);
    feeds[`x${i}`] = value;
    return b.input(`x${i}`, value.dtype, value.shape);
  });
  const outputs = b.emit(op, values, attributes);
  const graph = b.graph(Object.fromEntries(outputs.map((value, i) => [`y${i}`, value])));
  const executable = await runtime.compile(graph);
  const results = await executable.run(
    Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, runtime.upload(t)])),
  );
  const tensors = await Promise.all(outputs.map((_, i) => runtime.download(results[`y${i}`]!)));
  await executable.release();
  return tensors;
}

/** In units of the last place of the largest number: both sides round, and sums go in another order. */
const ulps = 8;
/** ONNX Runtime's float32 kernels of these are polynomials of a few units' error. */
const loose: Readonly<Record<string, number>> = { Gelu: 24, Erf: 24, Mish: 24, Softplus: 24 };

describe("operators of the compiled runtime", () => {
  let reference: Runtime;
  before(async () => {
    reference = await ortNode();
  });

  for (const dtype of ["float64", "float32"] as const) {
    describe(`compute what ONNX Runtime does in ${dtype}`, () => {
      for (const [op, list] of cases) {
        it(op.type, async () => {
          for (const test of list) {
            const attributes = { ...test.attributes };
            if (op.type === "Cast") attributes.to = onnxTypeNumber[dtype];
            const operands = operandsOf(test, dtype, 3);
            const expected = await computed(reference, op, operands, attributes);
            const actual = await computed(jit(), op, operands, attributes);
            const unit = dtype === "float64" ? 2 ** -52 : 2 ** -23;
            expected.forEach((tensor, i) => {
              expect(actual[i]!.dtype).to.equal(tensor.dtype);
              expect([...actual[i]!.shape]).to.deep.equal([...tensor.shape]);
              const [own, other] = [numbers(actual[i]!), numbers(tensor)];
              const largest = Math.max(1, ...other.filter(Number.isFinite).map(Math.abs));
              const tolerance = isFloat(tensor.dtype) ? (loose[op.type] ?? ulps) * unit * largest : 0;
              other.forEach((value, k) => {
                const same = Object.is(value, own[k]) || Math.abs(value - own[k]!) <= tolerance;
                expect(same, `${test.label}: element ${k} is ${own[k]}, not ${value}`).to.equal(true);
              });
            });
          }
        });
      }
    });
  }
});
