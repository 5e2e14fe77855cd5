import { expect } from "chai";
import * as ort from "onnxruntime-node";
import { pullback } from "../../src/autodiff/vjp.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { encodeField } from "../../src/deploy/field-file.js";
import { initialParameters } from "../../src/fields/field.js";
import { importedField } from "../../src/fields/imported.js";
import { Builder } from "../../src/graph/builder.js";
import { decode } from "../../src/graph/decode.js";
import { toGraph } from "../../src/import/to-graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { explicit } from "../../src/methods/explicit.js";
import { rk4 } from "../../src/methods/tableaux.js";
import { mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";
import { file, type GraphInit, type NodeInit, node, stored, value } from "./onnx-file.js";

// The two ways in which exporters write attention with an open batch: the batch is folded into the heads and taken out
// again, so a dimension is 2*batch or 6*batch in between.

const i64 = (...values: number[]) => tensor("int64", [values.length], values);
const random = Random.seeded(5);
const weights = (name: string, ...shape: number[]) =>
  stored(
    name,
    tensor(
      "float64",
      shape,
      Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.uniform(-1, 1)),
    ),
  );

/** PyTorch's nn.MultiheadAttention: length first, [6, batch, 16] read as [6, batch*2, 8] by constant targets. */
const pytorch: GraphInit = {
  input: [value("y", "float64", "batch", 6, 16)],
  output: [value("dy", "float64", "batch", 6, 16)],
  initializer: [
    ...["q", "k", "v", "o"].map((name) => weights(name, 16, 16)),
    stored("heads", i64(6, -1, 8)),
    stored("rows", i64(-1, 16)),
    stored("back", i64(6, -1, 16)),
  ],
  node: [
    node("Transpose", ["y"], ["x"], { perm: [1, 0, 2] }),
    ...["q", "k", "v"].flatMap((name): NodeInit[] => [
      node("MatMul", ["x", name], [`x${name}`]),
      node("Reshape", [`x${name}`, "heads"], [`h${name}`]),
      node("Transpose", [`h${name}`], [`t${name}`], { perm: name === "k" ? [1, 2, 0] : [1, 0, 2] }),
    ]),
    node("MatMul", ["tq", "tk"], ["scores"]),
    node("Softmax", ["scores"], ["p"], { axis: -1 }),
    node("MatMul", ["p", "tv"], ["mixed"]),
    node("Transpose", ["mixed"], ["first"], { perm: [1, 0, 2] }),
    node("Reshape", ["first", "rows"], ["flat"]),
    node("Gemm", ["flat", "o"], ["projected"], { transB: 1 }),
    node("Reshape", ["projected", "back"], ["wide"]),
    node("Transpose", ["wide"], ["dy"], { perm: [1, 0, 2] }),
  ],
};

/** tf2onnx's einsum: the batch axes multiplied at run time, by ReduceProd, and taken apart by a Max of shapes. */
const keras: GraphInit = {
  input: [value("y", "float64", "unk__1", 5, 4)],
  output: [value("dy", "float64", "unk__2", 5, 4)],
  initializer: [
    ...["q", "k"].map((name) => weights(name, 4, 4)),
    stored("heads", i64(-1, 5, 2, 2)),
    stored("lead", i64(0, 1)),
    stored("two", i64(2)),
    stored("three", i64(3)),
    stored("minus", i64(-1)),
    stored("end", i64(-1, 5, 4)),
  ],
  node: [
    ...["q", "k"].flatMap((name): NodeInit[] => [
      node("MatMul", ["y", name], [`y${name}`]),
      node("Reshape", [`y${name}`, "heads"], [`h${name}`]),
      node("Transpose", [`h${name}`], [`t${name}`], { perm: name === "k" ? [0, 2, 3, 1] : [0, 2, 1, 3] }),
      node("Shape", [`t${name}`], [`s${name}`]),
      node("Gather", [`s${name}`, "lead"], [`lead${name}`]),
      node("Gather", [`s${name}`, "two"], [`two${name}`]),
      node("Gather", [`s${name}`, "three"], [`three${name}`]),
      node("ReduceProd", [`lead${name}`], [`prod${name}`], { keepdims: 1 }),
      node("Concat", [`prod${name}`, "minus", `three${name}`], [`target${name}`], { axis: 0 }),
      node("Reshape", [`t${name}`, `target${name}`], [`m${name}`]),
    ]),
    node("MatMul", ["mq", "mk"], ["scores"]),
    node("Max", ["leadq", "leadk"], ["both"]),
    node("Concat", ["both", "twoq", "threek"], ["apart"], { axis: 0 }),
    node("Reshape", ["scores", "apart"], ["four"]),
    node("Softmax", ["four"], ["p"], { axis: -1 }),
    node("MatMul", ["p", "tq"], ["mixed"]),
    node("Transpose", ["mixed"], ["first"], { perm: [0, 2, 1, 3] }),
    node("Reshape", ["first", "end"], ["flat"]),
    node("Sub", ["flat", "y"], ["dy"]),
  ],
};

/** What ONNX Runtime itself makes of a file. */
async function runFile(bytes: Uint8Array, feeds: Readonly<Record<string, Tensor>>): Promise<number[]> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  const given = Object.fromEntries(
    Object.entries(feeds).map(([name, t]) => [
      name,
      new ort.Tensor(t.dtype as "float64", t.data as Float64Array, t.shape),
    ]),
  );
  const results = await session.run(given);
  await session.release();
  return Array.from(results[session.outputNames[0]!]!.data as Float64Array);
}

describe("attention with an open batch", () => {
  let runtimes: Readonly<Record<string, Runtime>>;
  before(async () => {
    runtimes = { jit: jit(), "ort-cpu": await ortNode() };
  });

  for (const [exporter, graph] of Object.entries({ pytorch, keras })) {
    const bytes = file(graph);
    const [length, width] = exporter === "pytorch" ? [6, 16] : [5, 4];
    const states = (batch: number) =>
      tensor(
        "float64",
        [batch, length, width],
        Array.from({ length: batch * length * width }, (_, i) => Math.sin(i)),
      );

    for (const runtime of ["jit", "ort-cpu"]) {
      it(`${exporter}: one graph runs any batch on ${runtime}, as the file does on ONNX Runtime`, async () => {
        const built = toGraph(decode(bytes));
        for (const batch of [1, 2, 5]) {
          const y = states(batch);
          const [found] = Object.values(await runGraph(runtimes[runtime]!, built, { y }));
          const right = await runFile(bytes, { y });
          // sums of up to 16 products of numbers below 1, in another order: a few ulp of 16
          numbers(found!).forEach((number, i) => {
            expect(number).to.be.closeTo(right[i]!, 1e-13);
          });
        }
      });
    }

    it(`${exporter}: the field is written as a file again, which takes any batch`, async () => {
      const field = importedField(decode(bytes));
      expect(field.state).to.deep.equal(["batch", length, width]);
      const ode = neuralOde({ field, method: explicit(rk4), stepSize: 0.1, dtype: "float64" });
      const exported = encodeField(ode, initialParameters(field, Random.seeded(0), "float64"));
      for (const batch of [1, 3]) {
        const y = states(batch);
        const found = await runFile(exported, { t: tensor("float64", [], [0]), y });
        const right = await runFile(bytes, { y });
        found.forEach((number, i) => {
          expect(number).to.be.closeTo(right[i]!, 1e-13);
        });
      }
    });
  }

  it("the gradient through a folded batch is that of central differences", async () => {
    const field = importedField(decode(file(pytorch)));
    const parameters = initialParameters(field, Random.seeded(0), "float64");
    const y = tensor(
      "float64",
      [3, 6, 16],
      Array.from({ length: 288 }, (_, i) => Math.sin(i)),
    );
    const b = new Builder();
    const values = Object.fromEntries(
      Object.entries(parameters).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
    );
    const state = b.input("y", "float64", field.state);
    const weight = b.input("weight", "float64", field.state);
    const dydt = field.apply(b, values, b.scalar("float64", 0), state);
    const names = Object.keys(values);
    const [dy, ...rest] = pullback(b, [dydt], [weight], [state, ...Object.values(values)]);
    const graph = b.graph({
      loss: reduceSum(b, mul(b, dydt, weight)),
      "d/y": dy!,
      ...Object.fromEntries(rest.map((value, i) => [`d/${names[i]}`, value!])),
    });
    const inputs = { ...parameters, y, weight: { ...y, data: y.data.map(Math.cos) } as Tensor };
    for (const runtime of Object.values(runtimes)) {
      const found = await runGraph(runtime, graph, inputs);
      for (const name of ["y", "q", "k", "v", "o"]) {
        const given = inputs[name as keyof typeof inputs] as Tensor<"float64">;
        const step = 1e-5;
        const direction = given.data.map((_, i) => Math.sin(3 * i + 1));
        const shifted = async (by: number) => {
          const data = given.data.map((value, i) => value + by * direction[i]!);
          const { loss } = await runGraph(runtime, graph, { ...inputs, [name]: { ...given, data } });
          return numbers(loss!)[0]!;
        };
        const difference = ((await shifted(step)) - (await shifted(-step))) / (2 * step);
        const derivative = numbers(found[`d/${name}`]!).reduce((sum, d, i) => sum + d * direction[i]!, 0);
        // central differences: h² f‴ / 6 and ε |L| / h, both about 1e−9 of a sum of some hundred terms
        expect(derivative).to.be.closeTo(difference, 1e-7 * Math.max(1, Math.abs(difference)), name);
      }
    }
  });
});
