import { expect } from "chai";
import { SizeError } from "../../src/core/size.js";
import { fromNested, scalar, toNested } from "../../src/core/tensor.js";
import { decode } from "../../src/graph/decode.js";
import { instantiate } from "../../src/import/instantiate.js";
import { toGraph } from "../../src/import/to-graph.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { evaluate } from "../support/evaluate.js";
import { file, type GraphInit, type NodeInit, node, stored, value } from "./onnx-file.js";

/** A Loop that doubles x in each iteration and puts out all its states, whose body says whether it goes on ("go"). */
function doubling(condition: readonly NodeInit[], most: number | null): ReturnType<typeof decode> {
  const body: GraphInit = {
    name: "body",
    input: [value("i", "int64"), value("before", "bool"), value("n", "int32"), value("z", "float64", 2)],
    output: [
      value("go", "bool"),
      value("n1", "int32"),
      value("z1", "float64", 2),
      value("each", "float64", 2),
    ],
    initializer: [stored("one", fromNested("int32", 1)), stored("limit", fromNested("int32", 3))],
    node: [
      node("Add", ["n", "one"], ["n1"]),
      node("Add", ["z", "z"], ["z1"]),
      node("Identity", ["z1"], ["each"]),
      ...condition,
    ],
  };
  return decode(
    file({
      input: [value("x", "float64", 2)],
      output: [{ name: "last" }, { name: "all" }],
      initializer: [
        stored("zero", fromNested("int32", 0)),
        stored("yes", scalar("bool", true)),
        ...(most === null ? [] : [stored("most", fromNested("int64", most))]),
      ],
      node: [
        node("Loop", [most === null ? "" : "most", "yes", "zero", "x"], ["count", "last", "all"], {
          body: { graph: body },
        }),
      ],
    }),
    { source: "m.onnx" },
  );
}

describe("a loop that ends by a counter", () => {
  // as TensorFlow exports range loops and recurrent layers, and JAX its while loops
  const byCounter = [
    node("Cast", ["n1"], ["n2"], { to: 1 }),
    node("Cast", ["limit"], ["l2"], { to: 1 }),
    node("Less", ["n2", "l2"], ["go"]),
  ];

  it("runs a number of times that is known: what it collects has a length", async () => {
    for (const most of [null, 10, 3]) {
      const model = doubling(byCounter, most);
      expect(toGraph(model).outputs.map(({ value }) => value.shape)).to.deep.equal([[2], [3, 2]]);
      for (const runtime of [jit(), await ortNode()]) {
        const x = fromNested("float64", [1, 5]);
        const { last, all } = await evaluate(runtime, { x }, (b, values) => {
          const { last, all } = instantiate(b, model, values);
          return { last: last!, all: all! };
        });
        expect(toNested(last)).to.deep.equal([8, 40]);
        expect(toNested(all)).to.deep.equal([
          [2, 10],
          [4, 20],
          [8, 40],
        ]);
      }
    }
  });

  it("or by the most that it may run, where that is less", () => {
    expect(toGraph(doubling(byCounter, 2)).outputs[1]!.value.shape).to.deep.equal([2, 2]);
  });

  it("runs a number of times that is not known where its data end it", () => {
    const byData = [
      node("ReduceMax", ["z1"], ["most"], { keepdims: 0 }),
      node("Constant", [], ["bound"], { value: fromNested("float64", 100) }),
      node("Less", ["most", "bound"], ["go"]),
    ];
    expect(toGraph(doubling(byData, null)).outputs[1]!.value.shape[0]).to.not.be.a("number");
  });

  it("is not gone through without end to know it", () => {
    const forever = [node("Constant", [], ["go"], { value: scalar("bool", true) })];
    const started = performance.now();
    expect(() => toGraph(doubling(forever, null))).to.throw(SizeError, /go on for ever/);
    // 20 000 nodes take a second on a slow machine
    expect(performance.now() - started).to.be.lessThan(10_000);
  });
});
