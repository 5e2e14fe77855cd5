import { expect } from "chai";
import { SizeError } from "../../src/core/size.js";
import { ShapeError, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { countNodes, GraphError, type Value } from "../../src/graph/graph.js";
import { add, div, mul, neg, sub } from "../../src/ops/arithmetic.js";
import { expandTo, reduceSum } from "../../src/ops/broadcast.js";
import { loop } from "../../src/ops/control.js";
import { ConstantOfShape } from "../../src/ops/generate.js";
import { matmul } from "../../src/ops/linalg.js";
import { where } from "../../src/ops/logic.js";
import { reshape, shapeOf, transpose } from "../../src/ops/reshape.js";
import { pad, slice } from "../../src/ops/slice.js";
import { concat } from "../../src/ops/slicing.js";
import { tanh } from "../../src/ops/trigonometry.js";

const start = () => {
  const b = new Builder();
  return { b, x: b.input("x", "float64", [2, 3]), y: b.input("y", "float64", [2, 3]) };
};

describe("a builder", () => {
  describe("shares", () => {
    it("equal nodes", () => {
      const { b, x, y } = start();
      expect(add(b, x, y)).to.equal(add(b, x, y));
      expect(add(b, x, y)).not.to.equal(add(b, y, x));
      expect(countNodes(b.graph({ z: mul(b, tanh(b, x), tanh(b, x)) }))).to.equal(2);
    });

    it("nodes with equal attributes only", () => {
      const { b, x } = start();
      expect(reduceSum(b, x, [0], true)).to.equal(reduceSum(b, x, [0], true));
      expect(reduceSum(b, x, [0], true)).not.to.equal(reduceSum(b, x, [0], false));
    });

    it("equal constants, of whatever arrays they are made", () => {
      const { b } = start();
      expect(b.scalar("float64", 2)).to.equal(
        b.constant(tensor("float64", [], Float64Array.of(9, 2).subarray(1))),
      );
      expect(b.scalar("float64", 2)).not.to.equal(b.scalar("float32", 2));
      expect(b.ints([1])).not.to.equal(b.scalar("int64", 1));
    });

    it("equal constants of many numbers, and none that only look alike", () => {
      const { b } = start();
      const many = (last: readonly number[]) =>
        b.constant(tensor("float32", [5000], [...new Array<number>(4998).fill(0.5), ...last]));
      expect(many([0, 0])).to.equal(many([0, 0]));
      expect(many([0, 0])).not.to.equal(many([0, -0]));
      // 31 · 31 = 961 = 31 · 30 + 31: bytes that are mixed to the same number
      const bytes = (last: readonly number[]) => b.constant(tensor("uint8", [4], [7, 7, ...last]));
      expect(bytes([1, 0])).not.to.equal(bytes([0, 31]));
    });

    it("no constants that differ in a bit: 0 and −0", () => {
      const { b, x } = start();
      expect(b.scalar("float64", 0)).not.to.equal(b.scalar("float64", -0));
      expect(div(b, 1, b.scalar("float64", -0)).constant!.data[0]).to.equal(-Infinity);
      expect(mul(b, x, 0)).not.to.equal(mul(b, x, -0));
    });

    it("no nodes whose attributes differ in a bit", () => {
      const b = new Builder();
      const shape = b.input("x", "float32", ["batch"]);
      const filled = (value: number) =>
        b.apply(ConstantOfShape, [shapeOf(b, shape)], { value: tensor("float64", [1], [value]) });
      expect(filled(0)).to.equal(filled(0));
      expect(filled(0)).not.to.equal(filled(-0));
    });
  });

  describe("folds", () => {
    it("what is constant, to any depth", () => {
      const { b } = start();
      const two = add(b, b.scalar("float64", 1), 1);
      expect(mul(b, two, two).constant).to.deep.equal(tensor("float64", [], [4]));
    });

    it("in the precision of the element type", () => {
      const { b } = start();
      const third = div(b, b.scalar("float32", 1), 3);
      expect(third.constant!.data[0]).to.equal(Math.fround(1 / 3));
      expect(mul(b, third, 3).constant!.data[0]).to.equal(Math.fround(Math.fround(1 / 3) * 3));
    });

    it("nothing larger than a million elements", () => {
      const { b } = start();
      const large = b.apply(ConstantOfShape, [b.ints([1 << 11, 1 << 11])]);
      expect(large.constant).to.equal(null);
      expect(large.shape).to.deep.equal([1 << 11, 1 << 11]);
    });

    it("nothing that takes long: a product of large matrices, many large results one after the other", () => {
      const { b } = start();
      const matrix = b.constant(tensor("float64", [512, 512], new Float64Array(512 * 512)));
      expect(matmul(b, matrix, matrix).constant).to.equal(null);
      const results = Array.from({ length: 40 }, (_, i) => mul(b, matrix, i + 2));
      expect(results[0]!.constant).not.to.equal(null);
      expect(results.at(-1)!.constant).to.equal(null);
      // arithmetic on shapes goes on
      expect(add(b, b.ints([1, 2]), b.ints([3, 4])).constant).not.to.equal(null);
    });

    it("nothing of an empty tensor with a long axis, which would be walked along", () => {
      const { b } = start();
      const empty = b.constant(tensor("float64", [0, 1e12], []));
      expect(slice(b, empty, 1, 0, 5).constant).to.equal(null);
    });
  });

  describe("refuses, before anything of the size is made,", () => {
    it("values larger than any memory, naming operator, shape and bytes", () => {
      const { b } = start();
      expect(() => b.apply(ConstantOfShape, [b.ints([1 << 20, 1 << 20])])).to.throw(
        SizeError,
        /ConstantOfShape.*float32\[1048576, 1048576\].*4\.4 TB/,
      );
      const each = b.input("each", "float64", ["batch", 1]);
      expect(() => pad(b, each, [0, 0], [0, 2 ** 40])).to.throw(SizeError, /for each of "batch"/);
    });

    it("dimensions that are none", () => {
      const { b } = start();
      expect(() => b.apply(ConstantOfShape, [b.ints([2, -48])])).to.throw(ShapeError, /\[2, -48\]/);
    });
  });

  describe("simplifies only what stays the same to the bit", () => {
    const cases: readonly (readonly [string, (b: Builder, x: Value) => Value, boolean])[] = [
      ["1 x is x", (b, x) => mul(b, 1, x), true],
      ["x / 1 is x", (b, x) => div(b, x, 1), true],
      ["x − 0 is x", (b, x) => sub(b, x, 0), true],
      ["x + (−0) is x", (b, x) => add(b, x, -0), true],
      ["x + 0 is not: it makes 0 of −0", (b, x) => add(b, x, 0), false],
      ["0 − x is not −x at 0", (b, x) => sub(b, 0, x), false],
      ["0 x is not 0: x may be NaN", (b, x) => mul(b, x, 0), false],
      ["−(−x) is x", (b, x) => neg(b, neg(b, x)), true],
      ["a transposition and its inverse", (b, x) => transpose(b, transpose(b, x, [1, 0]), [1, 0]), true],
      ["a reshape back", (b, x) => reshape(b, reshape(b, x, [6]), [2, 3]), true],
      ["a slice of everything", (b, x) => slice(b, x, 1, 0, 100), true],
      ["no padding", (b, x) => pad(b, x, [0, 0], [0, 0]), true],
      ["a Concat of one", (b, x) => concat(b, [x], 0), true],
      ["an expansion to its own shape", (b, x) => expandTo(b, x, x), true],
      ["a Where that always holds", (b, x) => where(b, b.scalar("bool", true), x, 0), true],
    ];
    for (const [name, build, isSame] of cases) {
      it(name, () => {
        const { b, x } = start();
        if (isSame) expect(build(b, x)).to.equal(x);
        else expect(build(b, x).node).not.to.equal(null);
      });
    }

    it("1 x keeps the shape that broadcasting gives", () => {
      const b = new Builder();
      const x = b.input("x", "float64", [3]);
      const ones = b.constant(tensor("float64", [1, 1], [1]));
      expect(mul(b, x, ones).shape).to.deep.equal([1, 3]);
    });
  });

  describe("places", () => {
    it("a node in the outermost scope that has its operands", () => {
      const { b, x, y } = start();
      loop(b, { trips: 2, carried: [x] }, (inner, _, [state]) => {
        expect(tanh(inner, y).scope).to.equal(b);
        expect(add(inner, state!, tanh(inner, y)).scope).to.equal(inner);
        expect(inner.scalar("float64", 1).scope).to.equal(b);
        return { carried: [state!] };
      });
    });

    it("a node of a body where an equal one of the enclosing scope is known already", () => {
      const { b, x } = start();
      const outside = tanh(b, x);
      loop(b, { trips: 2, carried: [x] }, (inner, _, [state]) => {
        expect(tanh(inner, x)).to.equal(outside);
        return { carried: [state!] };
      });
    });
  });

  describe("refuses", () => {
    it("values of another builder", () => {
      const { b, x } = start();
      const other = new Builder().input("x", "float64", [2, 3]);
      expect(() => add(b, x, other)).to.throw(GraphError, "Add: an operand was built by another builder");
      expect(() => b.graph({ y: other })).to.throw(GraphError, 'Output "y" of graph "revort"');
    });

    it("values of a body that has ended", () => {
      const { b, x } = start();
      let escaped: Value | undefined;
      loop(b, { trips: 2, carried: [x] }, (inner, _, [state]) => {
        escaped = tanh(inner, state!);
        return { carried: [escaped] };
      });
      expect(() => tanh(b, escaped!)).to.throw(GraphError, "inside a subgraph that has ended");
      expect(() => b.graph({ y: escaped! })).to.throw(GraphError);
    });

    it("two inputs of one name", () => {
      const { b } = start();
      expect(() => b.input("x", "float64", [])).to.throw(GraphError, 'an input named "x" already');
    });
  });
});
