import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { gemm, matmul } from "../../src/ops/linalg.js";
import { cumSum } from "../../src/ops/pattern.js";
import { reduceL2, reduceMean } from "../../src/ops/reduce.js";
import { softmax } from "../../src/ops/softmax.js";
import { hasFusedMultiplyAdd } from "../../src/runtimes/jit/engine.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";

/** A tenth as float32, whose sums are exact in float64 up to some 10⁹ of them. */
const tenth = Math.fround(0.1);
const count = 10_000_000;

/** What is made of ten million tenths, as a tensor of some shape, and what it is by arithmetic. */
const cases: Readonly<
  Record<string, readonly [readonly number[], (b: Builder, x: Value) => Value, (i: number) => number]>
> = {
  "a sum": [[count], (b, x) => reduceSum(b, x, [0]), () => count * tenth],
  "a sum of products in one pass": [[count], (b, x) => reduceSum(b, mul(b, x, x)), () => count * tenth ** 2],
  "sums of columns": [[count / 8, 8], (b, x) => reduceSum(b, x, [0]), () => (count / 8) * tenth],
  "sums of columns that do not fill vectors": [
    [count / 5, 5],
    (b, x) => reduceSum(b, x, [0]),
    () => (count / 5) * tenth,
  ],
  "sums over two axes with one between": [
    [count / 40, 8, 5],
    (b, x) => reduceSum(b, x, [0, 2]),
    () => (count / 8) * tenth,
  ],
  "sums over images, one after the other": [
    [count / 8000, 8, 40, 25],
    (b, x) => reduceSum(b, x, [0, 2, 3]),
    () => (count / 8) * tenth,
  ],
  "sums over many images of a few numbers": [
    [count / 40, 8, 5],
    (b, x) => reduceSum(b, x, [0, 2], true),
    () => (count / 8) * tenth,
  ],
  "a mean": [[count], (b, x) => reduceMean(b, x), () => tenth],
  "a norm": [[count], (b, x) => reduceL2(b, x), () => Math.sqrt(count) * tenth],
  "a softmax": [[count], (b, x) => softmax(b, x), () => 1 / count],
  "a running sum": [[count], (b, x) => cumSum(b, x, 0), (i) => (i + 1) * tenth],
  "a product of vectors": [[count], (b, x) => matmul(b, x, x), () => count * tenth ** 2],
  "the product of a gradient, over a batch": [
    [count / 8, 8],
    (b, x) => gemm(b, x, x, null, { transA: 1 }),
    () => (count / 8) * tenth ** 2,
  ],
  "the same of columns that do not fill vectors": [
    [count / 5, 5],
    (b, x) => gemm(b, x, x, null, { transA: 1 }),
    () => (count / 5) * tenth ** 2,
  ],
};

/** Runs of up to 256 terms are added up in float32: at most 256 half units, were they all rounded the same way. */
const tolerance = 256 * 2 ** -25;

describe("sums of ten million float32", () => {
  const data = new Float32Array(count).fill(tenth);

  for (const fused of hasFusedMultiplyAdd() ? [true, false] : [false]) {
    describe(fused ? "with fused multiply-add" : "without fused multiply-add", () => {
      for (const [name, [shape, build, exact]] of Object.entries(cases)) {
        it(`${name} is as exact as one of a few hundred`, async () => {
          const b = new Builder();
          const graph = b.graph({ y: build(b, b.input("x", "float32", shape)) });
          const executable = await jit({ fused }).compile(graph);
          const { y } = await executable.run({ x: jit().upload(tensor("float32", shape, data)) });
          const result = (await jit().download(y!)) as Tensor;
          const last = result.data.length - 1;
          for (const i of [0, last >> 1, last]) {
            expect(Math.abs((result.data[i] as number) / exact(i) - 1)).to.be.at.most(tolerance);
          }
          await executable.release();
        });
      }
    });
  }

  for (const name of [
    "a sum",
    "a sum of products in one pass",
    "sums of columns",
    "sums over images, one after the other",
    "sums over many images of a few numbers",
    "a mean",
    "a norm",
    "a softmax",
  ]) {
    it(`${name} is as exact on ONNX Runtime`, async () => {
      const [shape, build, exact] = cases[name]!;
      const runtime = await ortNode();
      const b = new Builder();
      const executable = await runtime.compile(b.graph({ y: build(b, b.input("x", "float32", shape)) }));
      const { y } = await executable.run({ x: runtime.upload(tensor("float32", shape, data)) });
      const [first] = (await runtime.download(y!)).data;
      expect(Math.abs((first as number) / exact(0) - 1), `${first}`).to.be.at.most(tolerance);
      await executable.release();
    });
  }

  it("are by halves where constants fold", () => {
    // one after the other, a million tenths are off by 10⁻¹² in float64
    const b = new Builder();
    const sum = reduceSum(
      b,
      b.constant(tensor("float64", [1_000_000], new Float64Array(1_000_000).fill(0.1))),
    );
    expect(Math.abs(numbers(sum.constant!)[0]! / 100_000 - 1)).to.be.at.most(1e-14);
  });
});
