import { expect } from "chai";
import { type DType, isFloat, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Attributes, Op } from "../../src/graph/graph.js";
import { onnxTypeNumber } from "../../src/graph/types.js";
import { opset } from "../../src/ops/opset.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { bools, type Case, draw, ints, isDraw, one, operandsOf } from "./cases.js";
import { cases } from "./opset-cases.js";

/**
 * What ONNX Runtime computes for operands that it is given as inputs, so that nothing folds. Operands that must be
 * constant (axes, shapes) are; `isConstant` says which.
 */
async function computed(
  runtime: Runtime,
  op: Op,
  operands: readonly (Tensor | null)[],
  attributes: Attributes,
  isConstant: (index: number) => boolean,
): Promise<Tensor[]> {
  const b = new Builder();
  const feeds: Record<string, Tensor> = {};
  const values = operands.map((value, i) => {
    if (value === null) return null;
    if (isConstant(i)) return b.constant(value);
    feeds[`x${i}`] = value;
    return b.input(`x${i}`, value.dtype, value.shape);
  });
  const outputs = b.emit(op, values, attributes);
  const graph = b.graph(Object.fromEntries(outputs.map((value, i) => [`y${i}`, value])));
  const executable = await runtime.compile(graph);
  const results = await executable.run(
    Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, runtime.upload(t)])),
  );
  const tensors: Tensor[] = [];
  for (let i = 0; i < outputs.length; i++) {
    const result = await runtime.download(results[`y${i}`]!);
    expect({ dtype: result.dtype, shape: result.shape }, "the inferred type").to.deep.equal({
      dtype: outputs[i]!.dtype,
      shape: outputs[i]!.shape,
    });
    tensors.push(result);
  }
  await executable.release();
  return tensors;
}

/** Integers must agree to the bit; floats to some units in the last place, or of the largest summand. */
function expectEqual(folded: Tensor, run: Tensor, ulps: number): void {
  expect(folded.dtype).to.equal(run.dtype);
  expect([...folded.shape]).to.deep.equal([...run.shape]);
  const [a, b] = [Array.from(folded.data as ArrayLike<number>), Array.from(run.data as ArrayLike<number>)];
  if (!isFloat(folded.dtype)) {
    expect(a).to.deep.equal(b);
    return;
  }
  const unit = folded.dtype === "float64" ? 2 ** -52 : 2 ** -23;
  const largest = Math.max(1, ...a.filter(Number.isFinite).map(Math.abs));
  a.forEach((value, i) => {
    const same = Object.is(value, b[i]) || Math.abs(value - b[i]!) <= ulps * unit * largest;
    expect(same, `element ${i}: folded ${value}, computed ${b[i]}`).to.equal(true);
  });
}

const integer = (dtype: DType, values: readonly number[], shape = [values.length]) =>
  tensor(dtype, shape, values);

/** Integers and bools, up to the ends of their range. */
const integerCases: Readonly<Record<string, readonly Case[]>> = {
  ...Object.fromEntries(
    [
      "Add",
      "Sub",
      "Mul",
      "Div",
      "Max",
      "Min",
      "Equal",
      "Less",
      "LessOrEqual",
      "Greater",
      "GreaterOrEqual",
    ].map((type) => [
      type,
      (["int64", "int32"] as const).map((dtype) =>
        one(dtype, [
          integer(dtype, [7, -7, 2147483647, -2147483648, 0, 123456789]),
          integer(dtype, [2, 2, 3, 5, -1, 987654321]),
        ]),
      ),
    ]),
  ),
  Neg: [one("int64", [ints([1, -5, 0])]), one("int32", [integer("int32", [1, -2147483648])])],
  Abs: [one("int64", [ints([1, -5, 0])])],
  Sign: [one("int64", [ints([1, -5, 0])])],
  Pow: [
    one("int64", [ints([2, -3, 7, 0]), ints([10, 3, 0, 0])]),
    one("int32", [integer("int32", [2, -3]), integer("int32", [10, 5])]),
  ],
  Mod: [
    one("int64", [ints([7, -7, 7, -7]), ints([3, 3, -3, -3])]),
    one("int64, fmod", [ints([7, -7, 7, -7]), ints([3, 3, -3, -3])], { fmod: 1 }),
  ],
  Clip: [one("int64", [ints([-5, 0, 5]), ints([-1], []), ints([3], [])])],
  And: [one("bool", [bools([0, 0, 1, 1]), bools([0, 1, 0, 1])])],
  Or: [one("bool", [bools([0, 0, 1, 1]), bools([0, 1, 0, 1])])],
  Xor: [one("bool", [bools([0, 0, 1, 1]), bools([0, 1, 0, 1])])],
  Not: [one("bool", [bools([0, 1])])],
  Where: [
    one("int64", [bools([0, 1, 0]), ints([1, 2, 3]), ints([4], [])]),
    one("bool", [bools([0, 1]), bools([1, 1]), bools([0, 0])]),
  ],
  Cast: [
    one("float to int64", [draw([6], { low: -9, high: 9 })], { to: onnxTypeNumber.int64 }),
    one("int64 to int32", [ints([5, -7])], { to: onnxTypeNumber.int32 }),
    one("int64 to bool", [ints([5, 0, -7])], { to: onnxTypeNumber.bool }),
    one("bool to int64", [bools([1, 0])], { to: onnxTypeNumber.int64 }),
    one("int32 to float", [integer("int32", [5, -7])], { to: onnxTypeNumber.float32 }),
  ],
  ReduceSum: [one("int64", [ints([1, 2, 3, 4, 5, 6], [2, 3]), ints([1])])],
  ReduceProd: [one("int64", [ints([1, 2, 3, 4, 5, 6], [2, 3]), ints([0])])],
  ReduceMax: [one("int64", [ints([1, 2, 9, 4, 5, 6], [2, 3]), ints([0])])],
  ReduceMin: [one("int64", [ints([1, 2, 9, 4, 5, 6], [2, 3]), ints([0])])],
  ReduceMean: [one("int64, rounding", [ints([1, 2, 9, -4, -5, -6], [2, 3]), ints([1])])],
  ReduceL1: [one("int64", [ints([1, -2, 9, 4, -5, 6], [2, 3]), ints([1])])],
  ReduceSumSquare: [one("int64", [ints([1, -2, 9, 4, -5, 6], [2, 3]), ints([1])])],
  ArgMax: [
    one("ties", [tensor("float32", [2, 4], [1, 3, 3, 0, 5, 4, 5, 5])], { axis: 1 }),
    one("the last of ties", [ints([3, 1, 3])], { select_last_index: 1, keepdims: 0 }),
  ],
  ArgMin: [
    one("ties, axis 0", [ints([1, 3, 1, 0, 1, 5], [3, 2])]),
    one("the last of ties", [ints([1, 3, 1])], { select_last_index: 1 }),
  ],
  TopK: [
    one("ties, the first first", [ints([2, 7, 7, 2, 7, 1], [1, 6]), ints([5])]),
    one("the smallest of int32, axis 0", [integer("int32", [3, -1, 3, 5, -1, 5], [3, 2]), ints([2])], {
      ...{ axis: 0, largest: 0 },
    }),
    one("none", [ints([1, 2]), ints([0])]),
  ],
  Concat: [one("int64", [ints([1, 2]), ints([3])], { axis: 0 })],
  Slice: [one("int64, backwards", [ints([1, 2, 3, 4, 5]), ints([-2]), ints([-100]), ints([0]), ints([-2])])],
  Pad: [
    one("int64", [ints([1, 2, 3]), ints([1, 2]), ints([9], [])]),
    one("int64 zeros", [ints([1, 2, 3]), ints([1, -1])]),
  ],
  Gather: [one("int64", [ints([10, 20, 30]), ints([-1, 0], [2, 1])])],
  Expand: [one("bool", [bools([1, 0]), ints([2, 2])])],
  Tile: [one("int64", [ints([1, 2]), ints([3])])],
  CumSum: [
    one("int64", [ints([1, 2, 3]), ints([0], [])]),
    one("int32", [integer("int32", [1, 2, 3]), ints([0], [])], { exclusive: 1 }),
  ],
  Trilu: [one("int64", [ints([1, 2, 3, 4], [2, 2])])],
  MatMul: [one("int64", [ints([1, 2, 3, 4], [2, 2]), ints([5, 6, 7, 8], [2, 2])])],
  ScatterND: [
    one("int64, added", [ints([1, 2, 3]), ints([0, 0, -1], [3, 1]), ints([10, 20, 30])], {
      reduction: "add",
    }),
  ],
  ScatterElements: [
    one(
      "int64, the largest",
      [tensor("float32", [3], [1, 2, 3]), ints([0, 2]), tensor("float32", [2], [9, -9])],
      { reduction: "max" },
    ),
  ],
  IsNaN: [one("float32", [tensor("float32", [4], [0, Number.NaN, Infinity, -Infinity])])],
  IsInf: [
    one("either sign", [tensor("float64", [4], [0, Number.NaN, Infinity, -Infinity])]),
    one("positive", [tensor("float32", [4], [0, Number.NaN, Infinity, -Infinity])], { detect_negative: 0 }),
    one("negative", [tensor("float32", [4], [0, Number.NaN, Infinity, -Infinity])], { detect_positive: 0 }),
  ],
  Range: [
    one("int64", [ints([2], []), ints([9], []), ints([3], [])]),
    one("float64, downwards", [
      tensor("float64", [], [1]),
      tensor("float64", [], [-0.2]),
      tensor("float64", [], [-0.25]),
    ]),
  ],
  ConstantOfShape: [
    one("int64", [ints([2, 3])], { value: tensor("int64", [1], [7]) }),
    one("float32 zeros", [ints([2])]),
  ],
  Round: [one("halves", [tensor("float64", [7], [-2.5, -1.5, -0.5, -0, 0.5, 1.5, 2.5])])],
};

/** Operands that ONNX Runtime may get as inputs only if they are data. */
const shapers: Readonly<Record<string, readonly number[]>> = {
  Expand: [1],
  Reshape: [1],
  Squeeze: [1],
  Unsqueeze: [1],
  Split: [1],
  Slice: [1, 2, 3, 4],
  Pad: [1, 3],
  Tile: [1],
  CumSum: [1],
  Trilu: [1],
  OneHot: [1],
  Range: [0, 1, 2],
  ConstantOfShape: [0],
  TopK: [1],
  Resize: [1, 2, 3],
};

/** Kernels that are further off than a few units, and why. */
const loose: Readonly<Record<string, number>> = {
  // its float32 error functions and exponentials are polynomials of a few units' error
  Gelu: 16,
  // sums of products, in another order
  MatMul: 16,
  // coordinates and weights in float32
  Resize: 16,
  Einsum: 16,
};

describe("folding on the host", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const isConstant = (op: Op) => (i: number) =>
    op.type.startsWith("Reduce") ? i === 1 : (shapers[op.type] ?? []).includes(i);

  for (const dtype of ["float32", "float64"] as const) {
    describe(`gives what ONNX Runtime computes in ${dtype}`, () => {
      for (const [op, list] of cases) {
        if (op.fold === undefined) continue;
        it(op.type, async () => {
          for (const test of list) {
            const attributes = { ...test.attributes };
            if (op.type === "Cast") attributes.to = onnxTypeNumber[dtype];
            const operands = operandsOf(test, dtype, 3);
            const folded = op.fold!(operands, attributes)!;
            const run = await computed(runtime, op, operands, attributes, isConstant(op));
            expect(folded).to.have.length(run.length);
            folded.forEach((result, i) => {
              expectEqual(result, run[i]!, loose[op.type] ?? 4);
            });
          }
        });
      }
    });
  }

  describe("gives the very bits for integers and bools", () => {
    for (const [type, list] of Object.entries(integerCases)) {
      it(type, async () => {
        const op = opset.get(type)!;
        for (const test of list) {
          const operands = test.operands.some((o) => o && isDraw(o))
            ? operandsOf(test, "float64")
            : (test.operands as (Tensor | null)[]);
          const fixed = isConstant(op);
          if (operands.every((_, i) => fixed(i))) continue;
          const folded = op.fold!(operands, test.attributes ?? {})!;
          const run = await computed(runtime, op, operands, test.attributes ?? {}, fixed);
          folded.forEach((result, i) => {
            expectEqual(result, run[i]!, 0);
          });
        }
      });
    }
  });

  it("makes ranges and filled tensors", () => {
    const folded = (type: string, i: number) => {
      const test = integerCases[type]![i]!;
      return opset.get(type)!.fold!(test.operands as Tensor[], test.attributes ?? {})![0]!;
    };
    expect(folded("Range", 0)).to.deep.equal(ints([2, 5, 8]));
    expect(folded("Range", 1)).to.deep.equal(tensor("float64", [5], [1, 0.75, 0.5, 0.25, 0]));
    expect(folded("ConstantOfShape", 0)).to.deep.equal(ints([7, 7, 7, 7, 7, 7], [2, 3]));
    expect(folded("ConstantOfShape", 1)).to.deep.equal(tensor("float32", [2], [0, 0]));
  });
});
