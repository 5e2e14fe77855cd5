import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { isFloat, numbers, ShapeError, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { countNodes, type Dim, GraphError, type Op, type Value } from "../../src/graph/graph.js";
import { mul } from "../../src/ops/arithmetic.js";
import { Expand, expand, reduceSum } from "../../src/ops/broadcast.js";
import { ConstantOfShape, Range, zerosLike } from "../../src/ops/generate.js";
import { matmul } from "../../src/ops/linalg.js";
import { Equal, equal, where } from "../../src/ops/logic.js";
import { Reshape, shapeOf, unsqueeze } from "../../src/ops/reshape.js";
import { slice } from "../../src/ops/slice.js";
import { concat, gather } from "../../src/ops/slicing.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { type Case, isDraw, operandsOf } from "./cases.js";
import { cases } from "./opset-cases.js";

/** The outputs of an operator and its gradient, with the leading dimension as it is, or symbolic. */
function program(op: Op, test: Case, operands: readonly (Tensor | null)[], batch: Dim | null) {
  const b = new Builder();
  const feeds: Record<string, Tensor> = {};
  const wrt: Value[] = [];
  const values = operands.map((value, i) => {
    if (value === null || !isDraw(test.operands[i]!)) return value && b.constant(value);
    feeds[`x${i}`] = value;
    const shape = i === 0 && batch !== null ? [batch, ...value.shape.slice(1)] : value.shape;
    wrt.push(b.input(`x${i}`, value.dtype, shape));
    return wrt.at(-1)!;
  });
  const outputs = b.emit(op, values, test.attributes).filter((value) => isFloat(value.dtype));
  // a weight that varies along every axis: the outputs themselves
  const gradients = pullback(b, outputs, outputs, wrt).map((g, i) => g ?? zerosLike(b, wrt[i]!));
  const named = [...outputs, ...gradients].map((value, i) => [`y${i}`, value] as const);
  return { graph: b.graph(Object.fromEntries(named)), feeds };
}

/** Operators that work on a symbolic batch in one case at least; all but those whose leading axis is the point. */
const needed = [
  ...["Add", "Sub", "Mul", "Div", "Pow", "Tanh", "Relu", "Gelu", "Softplus", "Max", "Clip", "PRelu"],
  ...[
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceProd",
    "ReduceL2",
    "ReduceLogSumExp",
    "Softmax",
    "LogSoftmax",
  ],
  ...["MatMul", "Gemm", "Einsum", "LayerNormalization", "GroupNormalization", "BatchNormalization"],
  ...[
    "Reshape",
    "Transpose",
    "Flatten",
    "Concat",
    "Split",
    "Slice",
    "Pad",
    "Gather",
    "Tile",
    "Expand",
    "CumSum",
  ],
];

describe("a symbolic batch", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  it("gives the results and gradients of a static one", async () => {
    const seen = new Set<string>();
    for (const [op, list] of cases) {
      for (const test of list) {
        const first = test.operands[0] ?? null;
        if (first === null || !isDraw(first) || first.shape.length < 1 || first.shape[0] === 1) continue;
        const operands = operandsOf(test, "float64", 6);
        let symbolic: ReturnType<typeof program>;
        try {
          symbolic = program(op, test, operands, "batch");
        } catch (error) {
          if (error instanceof ShapeError || error instanceof GraphError) continue;
          throw error;
        }
        const results: Tensor[][] = [];
        for (const { graph, feeds } of [symbolic, program(op, test, operands, null)]) {
          const executable = await runtime.compile(graph);
          const given = Object.fromEntries(
            Object.entries(feeds).map(([name, t]) => [name, runtime.upload(t)]),
          );
          const outputs = await executable.run(given);
          results.push(await Promise.all(graph.outputs.map(({ name }) => runtime.download(outputs[name]!))));
          await executable.release();
        }
        results[0]!.forEach((result, i) => {
          const expected = results[1]![i]!;
          expect([...result.shape], `${op.type}, ${test.label}`).to.deep.equal([...expected.shape]);
          numbers(result).forEach((value, k) => {
            // the same operators, but for the order of sums
            expect(value, `${op.type}, ${test.label}`).to.be.closeTo(
              numbers(expected)[k]!,
              1e-12 * (1 + Math.abs(value)),
            );
          });
        });
        seen.add(op.type);
      }
    }
    expect(needed.filter((type) => !seen.has(type))).to.deep.equal([]);
  });

  describe("is seen through the shapes that exporters compute", () => {
    const start = () => {
      const b = new Builder();
      const x = b.input("x", "float32", ["batch", 3, 2]);
      const dim = (axis: number) => gather(b, shapeOf(b, x), axis);
      const vector = (axis: number) => unsqueeze(b, dim(axis), [0]);
      return { b, x, dim, vector };
    };

    it("Gather of a shape is a constant where the dimension is", () => {
      const { dim } = start();
      expect(dim(1).constant).to.deep.equal(tensor("int64", [], [3]));
      expect(dim(0).constant).to.equal(null);
    });

    it("Slice of a shape is a constant where the dimensions are", () => {
      const { b, x } = start();
      expect(slice(b, shapeOf(b, x), 0, 1, 2 ** 31).constant).to.deep.equal(tensor("int64", [2], [3, 2]));
      expect(slice(b, shapeOf(b, x), 0, 0, 2).constant).to.equal(null);
    });

    it("Reshape to a computed shape infers it, and needs no shape at run time", () => {
      const { b, x, vector } = start();
      const y = b.apply(Reshape, [x, concat(b, [vector(0), b.ints([6])], 0)]);
      expect(y.shape).to.deep.equal(["batch", 6]);
      expect(countNodes(b.graph({ y }))).to.equal(1);
      const same = b.apply(Reshape, [x, concat(b, [vector(0), vector(1), b.ints([-1])], 0)]);
      expect(same).to.equal(x);
    });

    it("Expand and ConstantOfShape infer it too", () => {
      const { b, vector } = start();
      const target = concat(b, [vector(0), b.ints([4])], 0);
      expect(b.apply(Expand, [b.constant(tensor("float32", [4], [1, 2, 3, 4])), target]).shape).to.deep.equal(
        ["batch", 4],
      );
      expect(b.apply(ConstantOfShape, [target]).shape).to.deep.equal(["batch", 4]);
    });

    it("PyTorch's expand, which replaces −1 by Where and Equal, vanishes but for the batch", () => {
      const { b, vector } = start();
      const wanted = concat(b, [vector(0), b.ints([3])], 0);
      const ones = b.ints([1, 1]);
      const target = where(b, equal(b, wanted, b.ints([-1, -1])), ones, wanted);
      expect(target).to.equal(wanted);
      const y = b.apply(Expand, [b.constant(tensor("float32", [3], [1, 2, 3])), target]);
      expect(y.shape).to.deep.equal(["batch", 3]);
    });

    it("Equal stays undecided where a dimension may be it", () => {
      const { b, vector } = start();
      expect(b.apply(Equal, [vector(0), b.ints([1])]).constant).to.equal(null);
      expect(numbers(b.apply(Equal, [vector(0), vector(0)]).constant!)).to.deep.equal([1]);
    });

    it("Range over the batch has its length", () => {
      const { b, dim } = start();
      expect(b.apply(Range, [b.scalar("int64", 0), dim(0), b.scalar("int64", 1)]).shape).to.deep.equal([
        "batch",
      ]);
    });

    it("what is static folds away: Shape, Gather, Mul, Concat, Equal, Where, ConstantOfShape, Expand, Range", () => {
      const b = new Builder();
      const x = b.input("x", "float32", [4, 3, 2]);
      const dims = [0, 1, 2].map((axis) => unsqueeze(b, gather(b, shapeOf(b, x), axis), [0]));
      const target = concat(b, [dims[0]!, mul(b, dims[1]!, dims[2]!)], 0);
      const filled = b.apply(ConstantOfShape, [b.ints([2])], { value: tensor("int64", [1], [1]) });
      const chosen = where(b, equal(b, target, b.ints([-1])), filled, target);
      const y = b.apply(Reshape, [x, chosen]);
      const rows = b.apply(Range, [b.scalar("int64", 0), gather(b, shapeOf(b, x), 0), b.scalar("int64", 1)]);
      expect(y.shape).to.deep.equal([4, 6]);
      expect(numbers(expand(b, rows, [2, 4]).constant!)).to.deep.equal([0, 1, 2, 3, 0, 1, 2, 3]);
      expect(countNodes(b.graph({ y }))).to.equal(1);
    });
  });

  it("is refused with a remedy where it cannot be carried", () => {
    const b = new Builder();
    const x = b.input("x", "float32", ["batch", 3]);
    expect(() => slice(b, x, 0, 0, 2)).to.throw(ShapeError, "axis 0 of float32[batch, 3] is cut at 0 … 2");
    expect(() => matmul(b, x, x)).to.throw(ShapeError, "the inner dimensions");
    expect(() => expand(b, reduceSum(b, x, [1]), [2, 2])).to.throw(ShapeError, "do not broadcast");
  });
});
