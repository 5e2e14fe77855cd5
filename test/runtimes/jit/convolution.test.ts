import { expect } from "chai";
import fc from "fast-check";
import { pullback } from "../../../src/autodiff/vjp.js";
import { Random } from "../../../src/core/random.js";
import { type FloatDType, numbers, sizeOf, type Tensor, tensor } from "../../../src/core/tensor.js";
import { Builder } from "../../../src/graph/builder.js";
import { type Dim, type Graph, nodesOf } from "../../../src/graph/graph.js";
import { decompose } from "../../../src/graph/passes.js";
import { conv } from "../../../src/ops.js";
import { isBestOnOrt } from "../../../src/runtime/kernels.js";
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
  /** whether graphs are built before the batch is known */
  readonly isOpen?: boolean;
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

/** A convolution with the cotangents of all its operands, and numbers for it. */
function built(shape: Shape, dtype: FloatDType): { graph: Graph; feeds: Record<string, Tensor> } {
  const { batch, groups, channels, filters, sizes, kernel, stride, dilation, pads, hasBias, isOpen } = shape;
  const random = Random.seeded(3);
  const b = new Builder();
  const feeds: Record<string, Tensor> = {};
  const input = (name: string, of: readonly Dim[]) => {
    const known = of.map((dim) => (typeof dim === "number" ? dim : batch));
    const data = Array.from({ length: sizeOf(known) }, () => random.uniform(-1, 1));
    feeds[name] = tensor(dtype, known, data);
    return b.input(name, dtype, of);
  };
  const x = input("x", [isOpen ? "batch" : batch, groups * channels, ...sizes]);
  const w = input("w", [groups * filters, channels, ...kernel]);
  const bias = hasBias ? input("bias", [groups * filters]) : null;
  const each = (n: number) => sizes.map(() => n);
  const y = conv(b, x, w, bias, { strides: each(stride), dilations: each(dilation), pads, groups });
  const wrt = [x, w, ...(bias === null ? [] : [bias])];
  const gradients = pullback(b, [y], [input("cotangent", y.shape)], wrt);
  const graph = b.graph({
    y,
    ...Object.fromEntries(gradients.map((gradient, i) => [`g${i}`, gradient!])),
  });
  return { graph, feeds };
}

/** The results for the same numbers on each runtime. */
async function computed(runtime: Runtime, shape: Shape, dtype: FloatDType): Promise<number[][]> {
  const { graph, feeds } = built(shape, dtype);
  const executable = await runtime.compile(graph);
  const uploaded = Object.entries(feeds).map(([name, value]) => [name, runtime.upload(value)] as const);
  const results = await executable.run(Object.fromEntries(uploaded));
  const found: number[][] = [];
  for (const name of Object.keys(results).sort()) found.push(numbers(await runtime.download(results[name]!)));
  await executable.release();
  return found;
}

function expectClose(own: number[][], theirs: number[][], tolerance: number): void {
  expect(own.map(({ length }) => length)).to.deep.equal(theirs.map(({ length }) => length));
  own.forEach((values, which) => {
    const worst = values.findIndex((value, i) => !(Math.abs(value - theirs[which]![i]!) <= tolerance));
    expect(worst, `result ${which}: ${values[worst]}, not ${theirs[which]![worst]}, at`).to.equal(-1);
  });
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
          expectClose(own, theirs, tolerance);
        }),
        { numRuns: 40, seed: 11 },
      );
    }).timeout(60_000);
  }
});

/** As convolutional networks have them in training; what of their convolutions ONNX Runtime is left to do its own way. */
const usual: Readonly<Record<string, readonly [Partial<Shape>, own: number]>> = {
  "all as products, of small images": [{}, 0],
  "as products, with dilations": [{ dilation: 2, pads: [2, 2, 2, 2] }, 0],
  "as products, in two groups": [{ groups: 2, channels: 32, filters: 32 }, 0],
  "as products, of lines": [{ sizes: [40], kernel: [5], pads: [2, 2] }, 0],
  "as products, in space": [{ batch: 16, sizes: [4, 4, 4], kernel: [2, 2, 2], pads: [1, 0, 0, 0, 1, 1] }, 0],
  "the gradient by x, where there are strides": [{ stride: 2, sizes: [11, 11] }, 1],
  "all but the gradient by the weights, of large images": [{ batch: 8, sizes: [48, 48] }, 2],
  "all but the gradient by the weights, of a batch that is not known": [{ isOpen: true }, 2],
  "all, of few channels": [{ channels: 3, filters: 3 }, 3],
  // 49 · (1 / 49) and 11 · (25 / 11) are not whole in floating point
  "all, of each channel by itself": [{ batch: 4, groups: 49, channels: 1, filters: 1 }, 3],
  "all, of each channel by itself, in larger windows": [
    { batch: 4, groups: 11, channels: 1, filters: 2, sizes: [9, 9], kernel: [5, 5] },
    3,
  ],
  "all, of patches of an image": [
    { batch: 8, channels: 3, filters: 4, sizes: [90, 90], kernel: [10, 10], stride: 10, pads: [0, 0, 0, 0] },
    3,
  ],
  // its kernels do not return from what has no channels, as the gradient by the weights has none
  "none, of no images": [{ batch: 0, channels: 2, filters: 3 }, 0],
  "none, of no images in groups": [{ batch: 0, groups: 2, channels: 2, filters: 3, kernel: [5, 5] }, 0],
};

describe("convolutions of ONNX Runtime in float32", () => {
  const shape: Shape = {
    ...{ batch: 32, groups: 1, channels: 33, filters: 34, sizes: [6, 6], kernel: [3, 3] },
    ...{ stride: 1, dilation: 1, pads: [1, 1, 1, 1], hasBias: true },
  };
  for (const [name, [more, count]] of Object.entries(usual)) {
    it(`are its own: ${name}`, async () => {
      const asked = { ...shape, ...more };
      const { graph } = built(asked, "float32");
      const left = nodesOf(decompose(graph, isBestOnOrt)).filter(({ op }) => op.type.startsWith("Conv"));
      expect(left).to.have.length(count);
      const ort = await ortNode();
      const exact = await computed(jit(), asked, "float64");
      expectClose(await computed(ort, asked, "float64"), exact, 1e-11);
      // sums of up to some ten thousand products of numbers below 1
      expectClose(await computed(ort, asked, "float32"), exact, 2e-3);
    });
  }
});
