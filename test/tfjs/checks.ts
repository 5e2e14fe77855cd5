import { expect } from "chai";
import { type DType, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { onnxTypeNumber } from "../../src/graph/types.js";
import type { Backend } from "../../src/graph-model/backends.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { adamw } from "../../src/learning/optimisers.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { add } from "../../src/ops/arithmetic.js";
import { exp } from "../../src/ops/elementwise.js";
import { gemm, matmul, swapLast } from "../../src/ops/linalg.js";
import { opset } from "../../src/ops/opset.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { InputError } from "../../src/runtime/runtime.js";
import type { TfjsOptions } from "../../src/runtimes/tfjs/tfjs.js";
import { train } from "../../src/train/train.js";
import { disagreements } from "../ops/agreement.js";
import { hasBodies, ints, isDraw, operandsOf } from "../ops/cases.js";
import { cases } from "../ops/opset-cases.js";
import { type Probe, probes } from "../ops/special-values.js";
import { distance, tensorsDistance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import { randomTask } from "../support/gradients.js";
import { run } from "../webgpu/checks.js";
import { knownOf, refusalsOf } from "./known.js";

/** How a place with TensorFlow.js opens the runtime, and another one there. */
export interface Place {
  readonly backend: Backend;
  open(options?: TfjsOptions): Promise<Runtime>;
  reference(): Promise<Runtime>;
}

/** Checks by what they check. */
export type OwnChecks = Readonly<Record<string, (place: Place) => Promise<void>>>;

const field = mlp({ dim: 2, hidden: [8] });
const saves = [0.25, 0.5];
const task = randomTask({ field, stepSize: 0.25, saves, batch: 4, missing: 0.2, dtype: "float32" });
const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.25, dtype: "float32" });

/** Operators that move elements, applied to [2, 3, 4] of any element type. */
export const moves: Readonly<Record<string, (b: Builder, x: Value) => readonly Value[]>> = {
  Transpose: (b, x) => b.emit(opset.get("Transpose")!, [x], { perm: [2, 0, 1] }),
  Concat: (b, x) => b.emit(opset.get("Concat")!, [x, x], { axis: 1 }),
  Split: (b, x) => b.emit(opset.get("Split")!, [x, b.ints([1, 2])], { axis: 1 }),
  Slice: (b, x) => b.emit(opset.get("Slice")!, [x, ...[[1], [3], [2]].map((list) => b.ints(list))]),
  "Slice backwards": (b, x) =>
    b.emit(opset.get("Slice")!, [
      x,
      ...[
        [3, 0],
        [-9, 3],
        [2, 1],
        [-2, 2],
      ].map((list) => b.ints(list)),
    ]),
  Pad: (b, x) => b.emit(opset.get("Pad")!, [x, b.ints([0, 1, -1, 1, 0, 2])]),
  "Pad by reflection": (b, x) =>
    b.emit(opset.get("Pad")!, [x, b.ints([0, 2, 0, 1, 1, 3])], { mode: "reflect" }),
  "Pad by wrapping": (b, x) => b.emit(opset.get("Pad")!, [x, b.ints([0, 2, 0, 1, 1, 3])], { mode: "wrap" }),
  "Pad with the edge": (b, x) => b.emit(opset.get("Pad")!, [x, b.ints([0, 2, 0, 1, 1, 3])], { mode: "edge" }),
  Expand: (b, x) => b.emit(opset.get("Expand")!, [x, b.ints([2, 2, 3, 4])]),
  Tile: (b, x) => b.emit(opset.get("Tile")!, [x, b.ints([2, 1, 2])]),
  Gather: (b, x) => b.emit(opset.get("Gather")!, [x, b.constant(ints([-1, 0, 2, -4], [2, 2]))], { axis: 2 }),
  GatherElements: (b, x) =>
    b.emit(opset.get("GatherElements")!, [x, b.constant(ints([2, 0, 1, -1, 1, 0, 0, 2], [2, 1, 4]))], {
      axis: 1,
    }),
  GatherND: (b, x) => b.emit(opset.get("GatherND")!, [x, b.constant(ints([1, -1, 0, 2], [2, 2]))]),
  Reshape: (b, x) => b.emit(opset.get("Reshape")!, [x, b.ints([4, -1])]),
};

export const values = (dtype: DType, count: number): Tensor =>
  tensor(
    dtype,
    [2, 3, count / 6],
    Array.from({ length: count }, (_, i) =>
      dtype === "bool" ? i % 3 === 0 : dtype === "float32" ? Math.fround(0.1 * i - 1) : i - 7,
    ),
  );

/** Operators of two integers, and what they are to be divided by where that must be constant. */
const arithmetic: readonly (readonly [string, Record<string, number>, readonly number[] | null])[] = [
  ...["Add", "Sub", "Mul", "Max", "Min"].map((type) => [type, {}, null] as const),
  ...["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"].map((type) => [type, {}, null] as const),
  ["Div", {}, [7, -7, 1, -1, 100, 3]],
  ["Mod", {}, [7, -7, 1, -1, 100, 3]],
  ["Mod", { fmod: 1 }, [7, -7, 1, -1, 100, 3]],
];

/** What this runtime does in its own way, beside what every runtime must do. */
export const tfjsChecks: OwnChecks = {
  async "computes integers, casts and special values as they are folded, but for what is known"({
    backend,
    open,
  }) {
    const { wrong, unmet } = await disagreements(
      await open(),
      float32Probes(),
      knownOf(backend),
      refusalsOf(backend),
    );
    expect(wrong, wrong.join("\n")).to.have.length(0);
    expect(unmet, "what is said and was not seen").to.deep.equal([]);
  },

  async "multiplies matrices of odd sizes that were computed"({ open, reference }) {
    const runtime = await open();
    const other = await reference();
    for (const [shared, batch] of [
      [5, []],
      [3, [2]],
      [4, []],
    ] as const) {
      const b = new Builder();
      const [x, y] = [b.input("x", "float32", [...batch, 3, shared]), b.input("y", "float32", [shared, 3])];
      // e⁰ = 1 is what lies beside the edges
      const [left, right] = [exp(b, x), exp(b, y)];
      const own = {
        product: matmul(b, left, right),
        turned: matmul(b, swapLast(b, right), swapLast(b, left)),
      };
      const gemmed = batch.length > 0 ? {} : { gemm: gemm(b, right, left, null, { transA: 1, transB: 1 }) };
      const graph = b.graph({ ...own, ...gemmed });
      const drawn = (shape: readonly number[]) => {
        const size = shape.reduce((product, dim) => product * dim, 1);
        return tensor(
          "float32",
          shape,
          Array.from({ length: size }, (_, i) => Math.fround(Math.sin(i))),
        );
      };
      const feeds = { x: drawn([...batch, 3, shared]), y: drawn([shared, 3]) };
      expect(tensorsDistance(await run(runtime, graph, feeds), await run(other, graph, feeds))).to.be.below(
        1e-5,
      );
    }
  },

  async "computes with small integers as they are folded"({ open }) {
    const runtime = await open();
    for (const dtype of ["int64", "int32"] as const) {
      for (const [type, attributes, divisors] of arithmetic) {
        const xs = [-300, -15, -7, -1, 0, 1, 6, 7, 8, 299];
        const ys = divisors ?? [-12, -1, 0, 1, 7, 300];
        const [x, y] = [xs.flatMap((a) => ys.map(() => a)), xs.flatMap(() => ys)];
        const b = new Builder();
        const given = tensor(dtype, [x.length], x);
        const other = b.constant(tensor(dtype, [y.length], y));
        // bounded by what it indexes, so that products fit
        const small = tensor(
          "int64",
          [x.length],
          x.map((a) => a + 300),
        );
        const table = tensor(
          dtype,
          [601],
          Array.from({ length: 601 }, (_, i) => i - 300),
        );
        const index = b.input("index", "int64", [x.length]);
        const operand = b.apply(opset.get("Gather")!, [b.constant(table), index]);
        const z = b.apply(opset.get(type)!, [operand, other], attributes);
        const expected = b.apply(opset.get(type)!, [b.constant(given), other], attributes).constant!;
        const found = (await run(runtime, b.graph({ z }), { index: small })).z!;
        expect(numbers(found), `${type} of ${dtype} ${JSON.stringify(attributes)}`).to.deep.equal(
          numbers(expected),
        );
        expect(found.dtype).to.equal(expected.dtype);
      }
    }
  },

  async "moves floats, integers and truth values as they are folded"({ open }) {
    const runtime = await open();
    const wrong: string[] = [];
    for (const dtype of ["float32", "int64", "int8", "bool"] as const) {
      for (const [name, move] of Object.entries(moves)) {
        const b = new Builder();
        const x = values(dtype, 24);
        const outputs = (given: Value) =>
          Object.fromEntries(move(b, given).map((value, i) => [`y${i}`, value]));
        const expected = outputs(b.constant(x));
        const found = await run(runtime, b.graph(outputs(b.input("x", dtype, x.shape))), { x });
        for (const [output, value] of Object.entries(expected)) {
          const [own, right] = [found[output]!, value.constant!];
          if (`${own.shape}: ${numbers(own)}` === `${right.shape}: ${numbers(right)}`) continue;
          wrong.push(`${name} of ${dtype} gives ${numbers(own)}, not ${numbers(right)}`);
        }
      }
    }
    expect(wrong, wrong.join("\n")).to.have.length(0);
  },

  async "finds a gradient as another runtime does, and trains"({ open, reference }) {
    const runtimes = [await open(), await reference()];
    const gradients = [];
    const losses = [];
    for (const runtime of runtimes) {
      gradients.push(await gradientOf(ode, { runtime, loss: mse(), gradient: "reversible", ...task }));
      const { y0, target } = task.fit;
      const data = { t0: 0, times: saves, y0, observations: target };
      const options = { loss: mse(), optimiser: adamw({ learningRate: 0.01 }), steps: 2, updatesPerRun: 1 };
      losses.push((await train(ode, data, { runtime, parameters: task.parameters, ...options })).losses);
    }
    // some 100 operations in float32, 6e-8 each, and elementary functions that a GPU rounds coarsely
    expect(tensorsDistance(gradients[0]!.parameters, gradients[1]!.parameters)).to.be.below(1e-4);
    expect(distance(losses[0]!, losses[1]!)).to.be.below(1e-4);
  },

  async "reads and writes at places that come in, and says which are outside"({ open }) {
    const runtime = await open();
    const b = new Builder();
    const x = b.input("x", "float32", [4, 2]);
    const at = b.input("at", "int64", [3]);
    const rows = b.apply(opset.get("Gather")!, [x, at]);
    const lists = b.apply(opset.get("Unsqueeze")!, [at, b.ints([1])]);
    const sums = b.apply(opset.get("ScatterND")!, [x, lists, rows], { reduction: "add" });
    const graph = b.graph({ rows, sums }, "rows");
    const feeds = { x: tensor("float32", [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]), at: ints([3, 0, -1]) };
    const found = await run(runtime, graph, feeds);
    expect(numbers(found.rows!)).to.deep.equal([7, 8, 1, 2, 7, 8]);
    expect(numbers(found.sums!)).to.deep.equal([2, 4, 3, 4, 5, 6, 21, 24]);
    for (const index of [4, -5]) {
      const { message } = await failure(
        run(runtime, graph, { ...feeds, at: ints([0, index, 1]) }),
        InputError,
      );
      expect(message).to.contain(`"at" holds ${index}`).and.contain("from -4 to 3");
    }
  },

  async "looks at indices also where another run has found them"({ open }) {
    const runtime = await open();
    const [finding, taking] = [new Builder(), new Builder()];
    const best = finding.apply(opset.get("ArgMax")!, [finding.input("x", "float32", [5])], { keepdims: 0 });
    const at = taking.input("at", "int64", []);
    const row = taking.apply(opset.get("Gather")!, [taking.input("table", "float32", [3]), at]);
    const [find, take] = [
      await runtime.compile(finding.graph({ best })),
      await runtime.compile(taking.graph({ row })),
    ];
    const table = runtime.upload(tensor("float32", [3], [10, 20, 30]));
    const rowOf = async (...x: readonly number[]) => {
      const found = await find.run({ x: runtime.upload(tensor("float32", [5], x)) });
      return numbers(await runtime.download((await take.run({ at: found.best!, table })).row!));
    };
    expect(await rowOf(1, 3, 2, 0, 0)).to.deep.equal([20]);
    expect((await failure(rowOf(0, 0, 0, 0, 5), InputError)).message).to.contain('"at" holds 4');
    await find.release();
    await take.release();
  },

  async "gives the same bits from runs again, whatever has been to the device before"({ open }) {
    const runtime = await open();
    const b = new Builder();
    const x = b.input("x", "float32", [7]);
    const y = opset.get("Tanh")!;
    const executable = await runtime.compile(
      b.graph({ y: add(b, b.apply(y, [b.apply(opset.get("Exp")!, [x])]), x) }),
    );
    const given = runtime.upload(tensor("float32", [7], [-3, -1, -0.1, 0, 0.3, 1, 2]));
    const first = numbers(await runtime.download((await executable.run({ x: given })).y!));
    for (let i = 0; i < 3; i++) {
      expect(numbers(await runtime.download((await executable.run({ x: given })).y!))).to.deep.equal(first);
    }
    await executable.release();
  },

  async "leaves the operands of every operator as they were"({ backend, open }) {
    const runtime = await open();
    const wrong: string[] = [];
    for (const [op, list] of cases) {
      const [test] = list.filter((one) => !hasBodies(one));
      if (test === undefined || op.type === "Cast") continue;
      const b = new Builder();
      const given: Record<string, Tensor> = {};
      const operands = operandsOf(test, "float32").map((value, i) => {
        if (value === null || !isDraw(test.operands[i]!)) return value && b.constant(value);
        given[`x${i}`] = value;
        return b.input(`x${i}`, value.dtype, value.shape);
      });
      const outputs = b.emit(op, operands, test.attributes ?? {});
      const before = Object.values(given).map((value) => `${value.data}`);
      const executable = await runtime.compile(b.graph({ y: outputs[0]! })).catch((cause: Error) => cause);
      if (executable instanceof Error) continue;
      const feeds = Object.fromEntries(
        Object.entries(given).map(([name, value]) => [name, runtime.upload(value)]),
      );
      const results = [];
      for (let i = 0; i < 2; i++) results.push(await runtime.download((await executable.run(feeds)).y!));
      await executable.release();
      const [first, again] = results.map((result) => numbers(result)) as [number[], number[]];
      // WebGPU adds up at computed places in any order
      const off = backend === "webgpu" ? 1e-5 : 0;
      if (
        first.some((y, i) => !(Object.is(y, again[i]) || Math.abs(y - again[i]!) <= off * (1 + Math.abs(y))))
      )
        wrong.push(`${op.type} gives another result when it runs again`);
      if (`${before}` !== `${Object.values(given).map((value) => `${value.data}`)}`)
        wrong.push(`${op.type} changes an operand`);
    }
    expect(wrong, wrong.join("\n")).to.have.length(0);
  },

  async "leaves no tensors behind"({ open }) {
    const runtime = await open();
    const core = (await import("@tensorflow/tfjs-core")) as unknown as { default?: object };
    const { memory } = (core.default ?? core) as { memory(): { numTensors: number } };
    const b = new Builder();
    const x = b.input("x", "float32", [3, 3]);
    const graph = b.graph({ y: b.apply(opset.get("Softmax")!, [b.apply(opset.get("MatMul")!, [x, x])]) });
    const once = async () => {
      const executable = await runtime.compile(graph);
      const given = runtime.upload(tensor("float32", [3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]));
      const { y } = await executable.run({ x: given });
      await runtime.download(y!);
      runtime.dispose(y!);
      runtime.dispose(given);
      await executable.release();
    };
    await once();
    const before = memory().numTensors;
    for (let i = 0; i < 5; i++) await once();
    // those of other checks may be collected meanwhile
    expect(memory().numTensors).to.be.at.most(before);
  },
};

/** Probes without float64, which TensorFlow.js has nothing of; but for the casts that say so. */
function float32Probes(): Probe[] {
  return probes().filter(
    ({ operands, attributes }) =>
      !operands.some(({ dtype }) => dtype === "float64") &&
      (attributes.to !== onnxTypeNumber.float64 || operands[0]!.dtype === "float32"),
  );
}
