import { expect } from "chai";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { backends, type Target } from "../../src/graph-model/backends.js";
import { type GraphModel, graphModel, rules } from "../../src/graph-model/graph-model.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { operators } from "../../src/ops/opset.js";
import { cast } from "../../src/ops/reshape.js";
import { gather } from "../../src/ops/slicing.js";
import { CompileError } from "../../src/runtime/runtime.js";

const target: Target = { name: "tfjs-cpu", backends: ["cpu"] };
const anywhere: Target = { name: "tfjs", backends };

const opsOf = ({ artifacts }: GraphModel) => artifacts.modelTopology.node.map(({ op }) => op);

function model(outputs: (b: Builder) => Readonly<Record<string, Value>>, of = target): GraphModel {
  const b = new Builder();
  return graphModel(b.graph(outputs(b), "test"), { target: of });
}

describe("graph models", () => {
  it("have a way to write every operator, or say by name that there is none", () => {
    // what has a simpler form wherever it is applied never gets here
    const without = operators.filter(
      ({ type, decompose, simplify }) =>
        !(type in rules || decompose !== undefined || simplify !== undefined),
    );
    // Range and EyeLike are constants as soon as shapes are known, and control is written out
    expect(without.map(({ type }) => type)).to.have.members([
      ...["Loop", "Scan", "If", "Range"],
      ...["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift"],
    ]);
  });

  it("name inputs and outputs as the graph does, also where TensorFlow would read a name otherwise", () => {
    const { artifacts } = model((b) => ({ "next/y": add(b, b.input("y:0", "float32", ["batch", 2]), 1) }));
    const { inputs, outputs } = artifacts.signature;
    expect(Object.keys(inputs)).to.deep.equal(["y:0"]);
    expect(inputs["y:0"]!.tensorShape.dim).to.deep.equal([{ size: "-1" }, { size: "2" }]);
    expect(outputs["next/y"]!.name).to.equal("next/y:0");
  });

  it("hold what is read while they run apart from what is computed with: a GPU does not give it back", () => {
    const { artifacts } = model((b) => {
      const x = b.input("x", "int64", [3, 4]);
      return { y: add(b, gather(b, x, b.ints([1, 2]), 1), b.scalar("int64", 1)) };
    });
    const { node } = artifacts.modelTopology;
    const consts = new Set(node.filter(({ op }) => op === "Const").map(({ name }) => name));
    const axis = node.find(({ op }) => op === "GatherV2")!.input[2]!;
    const summand = node.find(({ op }) => op === "AddV2")!.input[1]!;
    expect(consts.has(axis) && consts.has(summand)).to.equal(true);
    expect(axis).to.not.equal(summand);
  });

  it("refuse integers that may not fit, naming the operator and the numbers", () => {
    const squares = (b: Builder) => {
      const n = b.input("n", "int64", [2]);
      return { y: mul(b, n, n) };
    };
    expect(() => model(squares))
      .to.throw(CompileError, "Mul computes with int64[2]")
      .with.property("message")
      .that.contains("from -2147483648 to 2147483647");
  });

  it("take integers as far as what they index is long, and compute with those", () => {
    const { inputs } = model((b) => {
      const n = b.input("n", "int64", [2]);
      const table = b.input("table", "float32", [1000]);
      return { y: gather(b, table, n), square: mul(b, n, n) };
    });
    expect(inputs.get("n")).to.deep.equal([-1000, 999]);
    expect(inputs.get("table")).to.equal(null);
  });

  it("have integers below 2²⁴ alone where they are for any backend", () => {
    const large = (b: Builder) => ({
      y: add(b, cast(b, b.input("n", "uint16", [2]), "int64"), b.scalar("int64", 2 ** 25)),
    });
    expect(opsOf(model(large))).to.include("AddV2");
    expect(() => model(large, anywhere)).to.throw(CompileError, "16777215");
  });

  it("refuse an index that is outside, as a constant", () => {
    const outside = (b: Builder) => ({ y: gather(b, b.input("x", "float32", [3]), b.ints([3])) });
    expect(() => model(outside)).to.throw(CompileError, "the index 3 is outside an axis of length 3");
  });
});
