import { readFileSync } from "node:fs";
import { expect } from "chai";
import { type FloatDType, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Attributes, Op } from "../../src/graph/graph.js";
import { decompose } from "../../src/graph/passes.js";
import { operators, opset } from "../../src/ops/opset.js";
import { hasOrtKernel } from "../../src/runtime/kernels.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { isDraw, operandsOf } from "./cases.js";
import { cases } from "./opset-cases.js";

/** Pairs of x and f(x), computed with 60 digits by special-functions.py. */
const reference: Readonly<Record<string, readonly (readonly [number, number])[]>> = JSON.parse(
  readFileSync(new URL("special-functions.json", import.meta.url), "utf8"),
);

async function evaluate(
  runtime: Runtime,
  dtype: FloatDType,
  op: Op,
  xs: readonly number[],
  attributes: Attributes = {},
): Promise<number[]> {
  const b = new Builder();
  const y = b.apply(op, [b.input("x", dtype, [xs.length])], attributes);
  const executable = await runtime.compile(b.graph({ y }));
  const results = await executable.run({ x: runtime.upload(tensor(dtype, [xs.length], xs)) });
  const values = numbers(await runtime.download(results.y!));
  await executable.release();
  return values;
}

/** Error in units of 2⁻⁵² of the result. Gelu's is of x: (1 + erf) / 2 cancels below −1, where the result is small. */
function ulpsOff(type: string, x: number, value: number, exact: number): number {
  if (Object.is(value, exact)) return 0;
  const scale = type === "Gelu" ? 1 + Math.abs(x) : Math.max(Math.abs(exact), Number.MIN_VALUE);
  return Math.abs(value - exact) / scale / 2 ** -52;
}

/** What is allowed: a few roundings of the formula's own, and those of the kernels in it. */
const usual = 5;
const allowed: Readonly<Record<string, number>> = {
  // ONNX Runtime's sine and cosine reduce their argument to 2⁻⁵² of 1, not of the result
  Tan: 16,
};

describe("decompositions", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  for (const [type, pairs] of Object.entries(reference)) {
    it(`${type} has float64 precision`, async () => {
      const op = opset.get(type)!;
      const y = await evaluate(
        runtime,
        "float64",
        op,
        pairs.map(([x]) => x),
      );
      pairs.forEach(([x, exact], i) => {
        const off = ulpsOff(type, x, y[i]!, exact);
        expect(off, `${type}(${x}) = ${exact}, but ${y[i]}`).to.be.at.most(allowed[type] ?? usual);
      });
    });

    it(`${type} evaluates on the host as exactly`, () => {
      const op = opset.get(type)!;
      const folded = op.fold!(
        [
          tensor(
            "float64",
            [pairs.length],
            pairs.map(([x]) => x),
          ),
        ],
        {},
      )![0]!;
      pairs.forEach(([x, exact], i) => {
        expect(ulpsOff(type, x, folded.data[i] as number, exact), `${type}(${x})`).to.be.at.most(usual);
      });
    });

    it(`${type} agrees with the float32 kernel`, async () => {
      const op = opset.get(type)!;
      // float32 kernels of exponential units compute exp(x) − 1 and lose what is small: compare to 2⁻²² of 1
      const xs = pairs
        .map(([x]) => Math.fround(x))
        .filter((x) => Math.abs(x) < 88 && (type !== "Atanh" || Math.abs(x) < 0.9));
      const [single, double] = [
        await evaluate(runtime, "float32", op, xs),
        await evaluate(runtime, "float64", op, xs),
      ];
      xs.forEach((x, i) => {
        const scale = 1 + Math.abs(double[i]!);
        expect(
          Math.abs(single[i]! - double[i]!) / scale,
          `${type}(${x}): ${single[i]} and ${double[i]}`,
        ).to.be.at.most(2 ** -20);
      });
    });
  }

  it("cover every elementwise operator that has no float64 kernel", () => {
    const missing = operators.filter((op) => {
      if (op.decompose === undefined || op.fold === undefined) return false;
      const b = new Builder();
      try {
        const { node, shape } = b.apply(op, [b.input("x", "float64", [2])]);
        const isAlong = shape[0] !== 2 || "axis" in (op.attributes ?? {});
        return !isAlong && !hasOrtKernel(node!) && !(op.type in reference);
      } catch {
        return false; // of several operands
      }
    });
    expect(missing.map((op) => op.type)).to.deep.equal([]);
  });

  it("pass NaN on, and infinities as limits", async () => {
    const limits: Readonly<Record<string, readonly [number, number]>> = {
      Erf: [-1, 1],
      Softplus: [0, Infinity],
      Elu: [-1, Infinity],
      Softsign: [Number.NaN, Number.NaN],
      Atan: [-Math.PI / 2, Math.PI / 2],
      Sinh: [-Infinity, Infinity],
      Cosh: [Infinity, Infinity],
      Asinh: [-Infinity, Infinity],
      LeakyRelu: [-Infinity, Infinity],
      HardSigmoid: [0, 1],
    };
    for (const [type, [below, above]] of Object.entries(limits)) {
      const y = await evaluate(runtime, "float64", opset.get(type)!, [-Infinity, Infinity, Number.NaN]);
      expect(y, type).to.deep.equal([below, above, Number.NaN]);
    }
  });

  it("hold where |x| = 1000: nothing overflows", async () => {
    for (const dtype of ["float32", "float64"] as const) {
      const at = (type: string) => evaluate(runtime, dtype, opset.get(type)!, [-1000, 1000]);
      expect(await at("Softplus")).to.deep.equal([0, 1000]);
      expect(await at("Sigmoid")).to.deep.equal([0, 1]);
      expect(await at("LogSoftmax")).to.deep.equal([-2000, 0]);
      expect(await at("Softmax")).to.deep.equal([0, 1]);
      expect(await at("Mish")).to.deep.equal([-0, 1000]);
      expect(await at("ReduceLogSumExp")).to.deep.equal([1000]);
    }
  });

  it("equal the kernels of operators that have both", async () => {
    for (const [op, list] of cases) {
      // Where has a decomposition for bools only
      if (op.decompose === undefined || op.type === "Where") continue;
      for (const test of list) {
        const operands = operandsOf(test, "float32", 4);
        const b = new Builder();
        const feeds: Record<string, Tensor> = {};
        const values = operands.map((value, i) => {
          if (value === null || !isDraw(test.operands[i]!)) return value && b.constant(value);
          feeds[`x${i}`] = value;
          return b.input(`x${i}`, value.dtype, value.shape);
        });
        const graph = b.graph({ y: b.apply(op, values, test.attributes) });
        // in float32 Atan has a kernel only: its formula refines that of float32
        const formula = decompose(graph, (node) => node.op !== op || op.type === "Atan");
        const results: number[][] = [];
        for (const version of [graph, formula]) {
          const executable = await runtime.compile(version);
          const given = Object.fromEntries(
            Object.entries(feeds).map(([name, t]) => [name, runtime.upload(t)]),
          );
          results.push(numbers(await runtime.download((await executable.run(given)).y!)));
          await executable.release();
        }
        results[0]!.forEach((value, i) => {
          // both are float32: a few roundings of values up to some tens
          expect(value, `${op.type}, ${test.label}`).to.be.closeTo(
            results[1]![i]!,
            1e-5 * (1 + Math.abs(value)),
          );
        });
      }
    }
  });
});
