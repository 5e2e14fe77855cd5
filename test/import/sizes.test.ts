import { expect } from "chai";
import { SizeError } from "../../src/core/size.js";
import { tensor } from "../../src/core/tensor.js";
import { type Inspection, inspectModel } from "../../src/deploy/inspect.js";
import { decode } from "../../src/graph/decode.js";
import { nodesOf } from "../../src/graph/graph.js";
import { toGraph } from "../../src/import/to-graph.js";
import { type FunctionInit, file, type GraphInit, type NodeInit, node, stored, value } from "./onnx-file.js";

// Small files that ask for much: each is read, or refused with a typed error, in a second and some megabytes.

const io: GraphInit = {
  input: [value("y", "float64", "n", 2)],
  output: [value("dy", "float64", "n", 2)],
};
const i64 = (...values: number[]) => tensor("int64", [values.length], values);
const scalar = (size: number) => tensor("int64", [], [size]);
const opsetImport = ["", "local"].map((domain) => ({ domain, version: domain === "" ? 21n : 1n }));
/** dy = y + Σ x */
const summed = (x: string): NodeInit[] => [
  node("ReduceSum", [x], ["sum"], { keepdims: 0 }),
  node("Cast", ["sum"], ["wide"], { to: 11 }),
  node("Add", ["y", "wide"], ["dy"]),
];
/** n steps from y to dy. */
const chain = (n: number, step: (from: string, to: string) => NodeInit, first = "y") =>
  Array.from({ length: n }, (_, i) => step(i === 0 ? first : `h${i}`, i === n - 1 ? "dy" : `h${i + 1}`));
/** Functions F0 … Fn, each of which calls the next one twice. */
const doubling = (n: number, leaf: NodeInit[]): FunctionInit[] => [
  ...Array.from({ length: n }, (_, i) => ({
    name: `F${i}`,
    domain: "local",
    input: ["x"],
    output: ["z"],
    opsetImport,
    node: [
      node(`F${i + 1}`, ["x"], ["h"], {}, { domain: "local" }),
      node(`F${i + 1}`, ["h"], ["z"], {}, { domain: "local" }),
    ],
  })),
  { name: `F${n}`, domain: "local", input: ["x"], output: ["z"], opsetImport, node: leaf },
];
const calling = (functions: FunctionInit[]) =>
  file({ ...io, node: [node("F0", ["y"], ["dy"], {}, { domain: "local" })] }, 21, { functions, opsetImport });
const built = (graph: GraphInit) => file({ ...io, ...graph });

describe("a small file that asks for much memory", () => {
  const refused: Readonly<Record<string, () => Uint8Array>> = {
    "OneHot of a great depth": () =>
      built({
        initializer: [stored("d", scalar(2e9)), stored("v", tensor("float64", [2], [0, 1]))],
        node: [node("Cast", ["y"], ["i"], { to: 7 }), node("OneHot", ["i", "d", "v"], ["x"]), ...summed("x")],
      }),
    "OneHot of a hundred million": () =>
      built({
        initializer: [stored("d", scalar(1e8)), stored("v", tensor("float64", [2], [0, 1]))],
        node: [node("Cast", ["y"], ["i"], { to: 7 }), node("OneHot", ["i", "d", "v"], ["x"]), ...summed("x")],
      }),
    "EyeLike of a large matrix": () =>
      built({
        initializer: [stored("s", i64(44721, 44721))],
        node: [
          node("ConstantOfShape", ["s"], ["z"]),
          node("EyeLike", ["z"], ["x"], { dtype: 11 }),
          ...summed("x"),
        ],
      }),
    "a Range without end": () =>
      built({
        initializer: [stored("a", scalar(0)), stored("b", scalar(2 ** 50)), stored("c", scalar(1))],
        node: [node("Range", ["a", "b", "c"], ["x"]), ...summed("x")],
      }),
    "an Expand": () =>
      built({
        initializer: [
          stored("s", i64(1e6, 1, 2)),
          stored("k", tensor("float64", [1e3, 1], new Array(1e3).fill(0))),
        ],
        node: [node("Expand", ["k", "s"], ["x"]), ...summed("x")],
      }),
    "a Pad": () =>
      built({
        initializer: [stored("p", i64(0, 0, 0, 2 ** 40))],
        node: [node("Pad", ["y", "p"], ["x"]), ...summed("x")],
      }),
    "a Concat that doubles again and again": () =>
      built({
        initializer: [stored("c0", tensor("float64", [2], [1, 2]))],
        node: [
          ...Array.from({ length: 40 }, (_, i) =>
            node("Concat", [`c${i}`, `c${i}`], [`c${i + 1}`], { axis: 0 }),
          ),
          ...summed("c40"),
        ],
      }),
    "the scans of a Loop": () =>
      built({
        initializer: [stored("trips", scalar(1e9))],
        node: [
          node("Loop", ["trips", "", "y"], ["last", "x"], {
            body: {
              graph: {
                name: "body",
                input: [value("i", "int64"), value("c", "bool"), value("s", "float64", "n", 2)],
                output: [value("c1", "bool"), value("s1", "float64", "n", 2), value("o", "float64", "n", 2)],
                node: [
                  node("Identity", ["c"], ["c1"]),
                  node("Tanh", ["s"], ["s1"]),
                  node("Sin", ["s"], ["o"]),
                ],
              },
            },
          }),
          ...summed("x"),
        ],
      }),
    "a batch that doubles again and again": () =>
      built({
        node: [
          ...Array.from({ length: 60 }, (_, i) =>
            node("Concat", i === 0 ? ["y", "y"] : [`c${i}`, `c${i}`], [`c${i + 1}`], { axis: 0 }),
          ),
          ...summed("c60"),
        ],
      }),
    "functions that double again and again": () => calling(doubling(25, [node("Tanh", ["x"], ["z"])])),
    "a node with very many operands": () =>
      built({ node: [node("Sum", new Array<string>(200_000).fill("y"), ["dy"])] }),
  };
  for (const [what, bytes] of Object.entries(refused)) {
    it(`${what} is refused by name`, () => {
      expect(() => toGraph(decode(bytes(), { source: "m.onnx" }))).to.throw(SizeError, /^m\.onnx: /);
    });
  }

  it("the refusal names the node, the operator, the shape and the bytes", () => {
    expect(() => toGraph(decode(refused["OneHot of a great depth"]!(), { source: "m.onnx" }))).to.throw(
      SizeError,
      /m\.onnx: the OneHot node that computes "x": .*float64\[n, 2, 2000000000\].*32 GB for each of "n"/,
    );
  });
});

describe("a small file that asks for much work", () => {
  const inspected = (bytes: Uint8Array): Inspection => inspectModel(decode(bytes, { source: "m.onnx" }));
  // the first takes what other tests of the process have not warmed up
  const seconds = 10;

  const works: Readonly<Record<string, () => Uint8Array>> = {
    "a chain of 20 000 nodes": () => built({ node: chain(20_000, (from, to) => node("Tanh", [from], [to])) }),
    "a chain of 10 000 casts of a shape": () =>
      built({
        node: [
          node("Shape", ["y"], ["s0"]),
          ...Array.from({ length: 10_000 }, (_, i) =>
            node("Cast", [`s${i}`], [`s${i + 1}`], { to: i % 2 === 0 ? 6 : 7 }),
          ),
          node("Reshape", ["y", "s10000"], ["dy"]),
        ],
      }),
    "a shape that is chosen again and again from itself": () =>
      built({
        initializer: [stored("t", tensor("bool", [], [true]))],
        node: [
          node("Shape", ["y"], ["s0"]),
          ...Array.from({ length: 40 }, (_, i) => node("Where", ["t", `s${i}`, `s${i}`], [`s${i + 1}`])),
          node("Reshape", ["y", "s40"], ["dy"]),
        ],
      }),
    "thousands of large constants": () =>
      built({
        initializer: [stored("k", tensor("float64", [1, 2], [1, 2])), stored("s", i64(400_000, 2))],
        node: [
          ...Array.from({ length: 500 }, (_, i) => [
            node("Expand", ["k", "s"], [`e${i}`]),
            node("Cast", [`e${i}`], [`f${i}`], { to: 1 }),
            node("ReduceSum", [`f${i}`], [`r${i}`], { keepdims: 0 }),
          ]).flat(),
          node("Cast", ["r499"], ["wide"], { to: 11 }),
          node("Add", ["y", "wide"], ["dy"]),
        ],
      }),
    "an Einsum over ten letters of constants": () =>
      built({
        initializer: [stored("a", tensor("float64", [100, 100], new Float64Array(10_000)))],
        node: [
          node("Einsum", ["a", "a", "a", "a", "a"], ["q"], { equation: "ab,cd,ef,gh,ij->" }),
          node("Add", ["y", "q"], ["dy"]),
        ],
      }),
    "loops in loops that each count to a thousand": () => {
      const at = (name: string, depth: number) => `${name}${depth}`;
      const body = (depth: number): GraphInit => ({
        name: at("body", depth),
        input: [
          value(at("i", depth), "int64"),
          value(at("c", depth), "bool"),
          value(at("n", depth), "int64"),
          value(at("s", depth), "float64", "n", 2),
        ],
        output: [
          value(at("go", depth), "bool"),
          value(at("next", depth), "int64"),
          value(at("r", depth), "float64", "n", 2),
        ],
        node: [
          node("Add", [at("n", depth), "one"], [at("next", depth)]),
          node("Less", [at("next", depth), "limit"], [at("go", depth)]),
          ...looped(depth + 1, at("s", depth), at("r", depth)),
        ],
      });
      const looped = (depth: number, from: string, to: string): NodeInit[] =>
        depth === 2
          ? [node("Tanh", [from], [to])]
          : [node("Loop", ["", "", "zero", from], [at("last", depth), to], { body: { graph: body(depth) } })];
      return built({
        initializer: [
          ...[0, 1].map((n) => stored(["zero", "one"][n]!, scalar(n))),
          stored("limit", scalar(1000)),
        ],
        node: looped(0, "y", "dy"),
      });
    },
    "an empty tensor with a long axis": () =>
      built({
        initializer: [
          stored("k", tensor("float64", [0, 1e12], [])),
          ...[0, 5, 1].map((at, i) => stored(`b${i}`, i64(at))),
        ],
        node: [node("Slice", ["k", "b0", "b1", "b2"], ["x"]), ...summed("x")],
      }),
  };
  for (const [what, bytes] of Object.entries(works)) {
    it(`${what} is inspected in time`, function () {
      this.timeout(1000 * seconds);
      expect(inspected(bytes()).field.reason).to.equal(null);
    });
  }

  it("functions that double again and again are refused by inspect, too, in time", function () {
    this.timeout(1000 * seconds);
    const wide = [node("Sum", new Array<string>(5000).fill("x"), ["z"])];
    for (const leaf of [wide, [node("Tanh", ["x"], ["z"])]]) {
      expect(inspected(calling(doubling(20, leaf))).field.reason).to.match(/expand to more than/);
    }
  });

  it("a stored tensor is one constant, however often a function is called that holds it", () => {
    const weights = tensor("float32", [50_000, 2], new Float32Array(100_000));
    const leaf = [
      node("Constant", [], ["c"], { value: weights }),
      node("ReduceMean", ["x"], ["m"], { keepdims: 0 }),
      node("Mul", ["c", "m"], ["p"]),
      node("ReduceSum", ["p"], ["r"], { keepdims: 0 }),
      node("Add", ["r", "x"], ["z"]),
    ];
    const graph = toGraph(decode(calling(doubling(6, leaf))), { float: "float64" });
    const large = nodesOf(graph).flatMap(({ inputs }) =>
      inputs.filter((x) => x?.constant && x.shape.length > 1),
    );
    expect(large).to.have.length(64);
    expect(new Set(large)).to.have.length(1);
  });
});
