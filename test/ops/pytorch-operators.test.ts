import { readFileSync } from "node:fs";
import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { resize, topK } from "../../src/ops.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";

// What PyTorch says of operators was written by pytorch-operators.py.

interface Case {
  readonly shape: readonly number[];
  readonly resultShape: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly cotangent: readonly number[];
  readonly gradient: readonly number[];
}

interface ResizeCase extends Case {
  readonly size: readonly number[];
  readonly options: { readonly mode: string; readonly align_corners?: boolean; readonly antialias?: boolean };
}

interface TopKCase extends Case {
  readonly k: number;
  readonly axis: number;
  readonly largest: boolean;
  readonly indices: readonly number[];
}

const fixture = JSON.parse(readFileSync(new URL("pytorch-operators.json", import.meta.url), "utf8")) as {
  readonly torch: string;
  readonly resize: readonly ResizeCase[];
  readonly topK: readonly TopKCase[];
};

/** Sums of some ten terms of size 1 in float64, in another order. */
const tolerance = 1e-13;

async function expectPyTorch(
  runtime: Runtime,
  test: Case,
  apply: (b: Builder, x: Value) => { readonly y: Value; readonly indices?: Value },
): Promise<readonly number[] | null> {
  const b = new Builder();
  const x = b.input("x", "float64", test.shape);
  const { y, indices } = apply(b, x);
  const [gradient] = pullback(b, [y], [b.input("cotangent", "float64", test.resultShape)], [x]);
  const graph = b.graph({ y, gradient: gradient!, ...(indices && { indices }) });
  const executable = await runtime.compile(graph);
  const results = await executable.run({
    x: runtime.upload(tensor("float64", test.shape, test.x)),
    cotangent: runtime.upload(tensor("float64", test.resultShape, test.cotangent)),
  });
  for (const name of ["y", "gradient"] as const) {
    const found = numbers(await runtime.download(results[name]!));
    expect(found, name).to.have.length(test[name].length);
    found.forEach((value, i) => {
      expect(value, `${name}, element ${i}`).to.be.closeTo(test[name][i]!, tolerance);
    });
  }
  const places = indices ? numbers(await runtime.download(results.indices!)) : null;
  await executable.release();
  return places;
}

for (const [name, make] of [
  ["jit", async () => jit()],
  ["ort-cpu", ortNode],
] as const) {
  describe(`operators are those of PyTorch ${fixture.torch} on ${name}, with their gradients`, () => {
    for (const test of fixture.resize) {
      const { mode, align_corners: alignCorners = false, antialias = false } = test.options;
      const own = mode === "nearest" ? "nearest" : mode.includes("cubic") ? "cubic" : "linear";
      it(`resize of [${test.shape}] to [${test.size}], ${JSON.stringify(test.options)}`, async () => {
        await expectPyTorch(await make(), test, (b, x) => ({
          y: resize(b, x, test.size, { mode: own, alignCorners, antialias }),
        }));
      });
    }
    for (const test of fixture.topK) {
      const { k, axis, largest, indices } = test;
      it(`topK of [${test.shape}]: ${k} along axis ${axis}`, async () => {
        const places = await expectPyTorch(await make(), test, (b, x) => {
          const { values, indices: found } = topK(b, x, k, { axis, largest });
          return { y: values, indices: found };
        });
        expect(places).to.deep.equal(indices);
      });
    }
  });
}
