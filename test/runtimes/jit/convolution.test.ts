import { expect } from "chai";
import fc from "fast-check";
import { pullback } from "../../../src/autodiff/vjp.js";
import { Random } from "../../../src/core/random.js";
import { type FloatDType, numbers, sizeOf, tensor } from "../../../src/core/tensor.js";
import { Builder } from "../../../src/graph/builder.js";
import { conv } from "../../../src/ops.js";
import type { Runtime } from "../../../src/runtime/runtime.js";
import { jit } from "../../../src/runtimes/jit/jit.js";
import { ortNode } from "../../../src/runtimes/ort-node.js";

interface Shape {
  readonly batch: number;
  readonly groups: number;
  /** channels and filters of a group */
  readonly channels: number;
  readonly filters: number;
  readonly sizes: readonly number[];
  readonly kernel: readonly number[];
  readonly stride: number;
  readonly dilation: number;
  readonly pads: readonly number[];
  readonly hasBias: boolean;
}

/** Sizes around those of vectors and blocks, kernels as large as the image, and whatever comes together with them. */
const shapes = fc
  .record({
    ...{ batch: fc.integer({ min: 1, max: 3 }), groups: fc.constantFrom(1, 1, 2, 3) },
    ...{ channels: fc.integer({ min: 1, max: 3 }), filters: fc.constantFrom(1, 2, 3, 5, 9) },
    sizes: fc.array(fc.constantFrom(1, 3, 4, 7, 8, 10, 13), { minLength: 1, maxLength: 2 }),
    kernel: fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 2, maxLength: 2 }),
    ...{ stride: fc.constantFrom(1, 1, 2, 3), dilation: fc.constantFrom(1, 1, 2) },
    pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 4 }),
    hasBias: fc.boolean(),
  })
  .map(({ sizes, kernel, pads, ...rest }): Shape => {
    const rank = sizes.length;
    const kept = [...pads.slice(0, rank), ...pads.slice(2, 2 + rank)];
    // a kernel as large as there is room for
    const fitting = sizes.map((size, i) =>
      Math.min(kernel[i]!, Math.floor((size + kept[i]! + kept[rank + i]! - 1) / rest.dilation) + 1),
    );
    return { ...rest, sizes, kernel: fitting, pads: kept };
  });

/** The result and the cotangents of all operands, for the same numbers on each runtime. */
async function computed(runtime: Runtime, shape: Shape, dtype: FloatDType): Promise<number[][]> {
  const { batch, groups, channels, filters, sizes, kernel, stride, dilation, pads, hasBias } = shape;
  const random = Random.seeded(3);
  const b = new Builder();
  const feeds: Record<string, unknown> = {};
  const input = (name: string, of: readonly number[]) => {
    const data = Array.from({ length: sizeOf(of) }, () => random.uniform(-1, 1));
    feeds[name] = runtime.upload(tensor(dtype, of, data));
    return b.input(name, dtype, of);
  };
  const x = input("x", [batch, groups * channels, ...sizes]);
  const w = input("w", [groups * filters, channels, ...kernel]);
  const bias = hasBias ? input("bias", [groups * filters]) : null;
  const each = (n: number) => sizes.map(() => n);
  const y = conv(b, x, w, bias, { strides: each(stride), dilations: each(dilation), pads, groups });
  const wrt = [x, w, ...(bias === null ? [] : [bias])];
  const gradients = pullback(b, [y], [input("cotangent", y.shape as number[])], wrt);
  const graph = b.graph({
    y,
    ...Object.fromEntries(gradients.map((gradient, i) => [`g${i}`, gradient!])),
  });
  const executable = await runtime.compile(graph);
  const results = await executable.run(feeds as never);
  const found: number[][] = [];
  for (const name of Object.keys(results).sort()) found.push(numbers(await runtime.download(results[name]!)));
  await executable.release();
  return found;
}

describe("convolutions on the compiled runtime", () => {
  // sums of up to some hundred products of numbers below 1, in another order
  for (const [dtype, tolerance] of [
    ["float32", 2e-5],
    ["float64", 1e-13],
  ] as const) {
    it(`are those of ONNX Runtime in ${dtype}, with their gradients, for any sizes, strides, dilations, pads and groups`, async () => {
      const ort = await ortNode();
      await fc.assert(
        fc.asyncProperty(shapes, async (shape) => {
          const [own, theirs] = [await computed(jit(), shape, dtype), await computed(ort, shape, dtype)];
          expect(own.map(({ length }) => length)).to.deep.equal(theirs.map(({ length }) => length));
          own.forEach((values, which) => {
            values.forEach((value, i) => {
              expect(value, `result ${which}, element ${i}`).to.be.closeTo(theirs[which]![i]!, tolerance);
            });
          });
        }),
        { numRuns: 40, seed: 11 },
      );
    }).timeout(60_000);
  }
});
