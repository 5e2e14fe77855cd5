import { readFileSync } from "node:fs";
import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { type FloatDType, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { decode } from "../../src/graph/decode.js";
import { nodesOf, type Value } from "../../src/graph/graph.js";
import { instantiate } from "../../src/import/instantiate.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";

// Files of PyTorch's exporter, and what PyTorch computes, in float64: written by pytorch-recurrent.py.

interface Packed {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Case {
  readonly name: string;
  readonly file: string;
  readonly x: Packed;
  readonly outputs: readonly Packed[];
  readonly cotangents: readonly Packed[];
  readonly gradient: Packed;
  /** by initializer */
  readonly gradients: Readonly<Record<string, Packed>>;
}

const fixture = JSON.parse(readFileSync(new URL("pytorch-recurrent.json", import.meta.url), "utf8")) as {
  readonly torch: string;
  readonly cases: readonly Case[];
};

/** Sums of some ten terms of size 1, in another order, through five steps. */
const tolerances: Readonly<Record<FloatDType, number>> = { float64: 1e-12, float32: 1e-5 };

/** Results and gradients of a case, as PyTorch names and lays them out. */
async function computed(runtime: Runtime, test: Case, dtype: FloatDType) {
  const model = decode(Buffer.from(test.file, "base64"));
  const b = new Builder();
  const feeds: Record<string, Tensor> = {};
  const input = (name: string, { shape, data }: Packed): Value => {
    feeds[name] = tensor(dtype, shape, data);
    return b.input(name, dtype, shape);
  };
  const x = input("x", test.x);
  const weights = Object.fromEntries(
    Object.keys(test.gradients).map((name) => {
      const { shape, data } = model.graph.initializers.get(name)!;
      return [name, input(name, { shape, data: Array.from(data as Float32Array) })];
    }),
  );
  const named = instantiate(b, model, { x }, { float: dtype, parameters: weights });
  const outputs = model.graph.outputs.map(({ name }) => named[name]!);
  const cotangents = test.cotangents.map((cotangent, i) => input(`cotangent${i}`, cotangent));
  const gradients = pullback(b, outputs, cotangents, [x, ...Object.values(weights)]);
  const graph = b.graph(
    Object.fromEntries([
      ...outputs.map((value, i) => [`y${i}`, value] as const),
      ...["x", ...Object.keys(weights)].map((name, i) => [`gradient of ${name}`, gradients[i]!] as const),
    ]),
  );
  const executable = await runtime.compile(graph);
  const results = await executable.run(
    Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, runtime.upload(value)])),
  );
  const found: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(results)) found[name] = await runtime.download(value);
  await executable.release();
  return { graph, found };
}

for (const [name, make, dtype] of [
  ["jit", async () => jit(), "float64"],
  ["ort-cpu", ortNode, "float64"],
  ["ort-cpu", ortNode, "float32"],
] as const) {
  describe(`recurrent layers that PyTorch ${fixture.torch} exported have its results and gradients on ${name} in ${dtype}`, () => {
    for (const test of fixture.cases) {
      it(test.name, async () => {
        const { graph, found } = await computed(await make(), test, dtype);
        // the graph keeps the operator, for which ONNX Runtime has a kernel
        const [type] = test.name.split(/\W/);
        expect(nodesOf(graph).map(({ op }) => op.type)).to.include(type);
        const expected = {
          ...Object.fromEntries(test.outputs.map((output, i) => [`y${i}`, output])),
          "gradient of x": test.gradient,
          ...Object.fromEntries(
            Object.entries(test.gradients).map(([weight, gradient]) => [`gradient of ${weight}`, gradient]),
          ),
        };
        expect(Object.keys(found).sort()).to.deep.equal(Object.keys(expected).sort());
        for (const [what, { shape, data }] of Object.entries(expected)) {
          expect([...found[what]!.shape], what).to.deep.equal([...shape]);
          numbers(found[what]!).forEach((value, i) => {
            expect(value, `${what}, element ${i}`).to.be.closeTo(data[i]!, tolerances[dtype]);
          });
        }
      });
    }
  });
}
