import { expect } from "chai";
import { DTypeError, ShapeError, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { GraphError, type Value } from "../../src/graph/graph.js";
import { relu } from "../../src/ops/activation.js";
import { add, Div } from "../../src/ops/arithmetic.js";
import { Expand, reduceSum } from "../../src/ops/broadcast.js";
import { ifElse, loop, scan } from "../../src/ops/control.js";
import { einsum } from "../../src/ops/einsum.js";
import { exp } from "../../src/ops/elementwise.js";
import { Constant, Range } from "../../src/ops/generate.js";
import { gemm, matmul } from "../../src/ops/linalg.js";
import { and, where } from "../../src/ops/logic.js";
import { layerNormalization } from "../../src/ops/normalise.js";
import { Tile } from "../../src/ops/pattern.js";
import { Mod } from "../../src/ops/power.js";
import { reduceLogSumExp } from "../../src/ops/reduce.js";
import { reshape, squeeze, transpose, unsqueeze } from "../../src/ops/reshape.js";
import { scatterND } from "../../src/ops/scatter.js";
import { pad, slice } from "../../src/ops/slice.js";
import { concat, gather, split } from "../../src/ops/slicing.js";
import { softmax } from "../../src/ops/softmax.js";

type ErrorClass = typeof ShapeError | typeof DTypeError | typeof GraphError;
type Inputs = Readonly<Record<"x" | "y" | "v" | "i" | "d" | "c" | "s", Value>>;

/** Mistakes, with the error that is due and what its message must name. */
const mistakes: readonly (readonly [string, (b: Builder, given: Inputs) => unknown, ErrorClass, RegExp])[] = [
  [
    "shapes that do not broadcast",
    (b, { x, v }) => add(b, x, v),
    ShapeError,
    /Add: shapes \[2, 3\] and \[4\] do not broadcast: 3 and 4/,
  ],
  [
    "mixed element types",
    (b, { x, d }) => add(b, x, d),
    DTypeError,
    /Add .*float32\[2, 3\] and float64\[2, 3\].*Cast/,
  ],
  [
    "exponentials of integers",
    (b, { i }) => exp(b, i),
    DTypeError,
    /Exp: the operand "X" must be float32 or float64, but is int64\[2, 2\].*Cast/,
  ],
  [
    "logic on floats",
    (b, { x, c }) => and(b, x, c),
    DTypeError,
    /And: the operand "A" must be bool, but is float32.*Cast/,
  ],
  [
    "a condition that is no bool",
    (b, { x }) => where(b, x, x, x),
    DTypeError,
    /Where: the operand "condition" must be bool/,
  ],
  [
    "Relu of bools",
    (b, { c }) => relu(b, c),
    DTypeError,
    /Relu: the operand "X" must be of floats or signed integers, but is bool/,
  ],
  ["LogSumExp of integers", (b, { i }) => reduceLogSumExp(b, i), DTypeError, /ReduceLogSumExp/],
  ["inner dimensions", (b, { x }) => matmul(b, x, x), ShapeError, /MatMul: the inner dimensions .* 3 and 2/],
  ["products of scalars", (b, { x, s }) => matmul(b, x, s), ShapeError, /Use Mul/],
  ["Gemm of vectors", (b, { x, v }) => gemm(b, x, v), ShapeError, /Gemm needs matrices.*Use MatMul/],
  ["a summand of Gemm", (b, { x, v }) => gemm(b, x, transpose(b, x, [1, 0]), v), ShapeError, /Gemm: C/],
  [
    "an axis out of range",
    (b, { x }) => reduceSum(b, x, [2]),
    ShapeError,
    /ReduceSum: axis 2 is outside \[-2, 1\]/,
  ],
  ["a softmax axis", (b, { x }) => softmax(b, x, -3), ShapeError, /Softmax: axis -3/],
  [
    "a reshape of another size",
    (b, { x }) => reshape(b, x, [4]),
    ShapeError,
    /Reshape: \[2, 3\] cannot be read as \[4\]/,
  ],
  [
    "a permutation",
    (b, { x }) => transpose(b, x, [0, 0]),
    ShapeError,
    /Transpose: \[0, 0\] is not a permutation/,
  ],
  [
    "a squeeze of a long axis",
    (b, { x }) => squeeze(b, x, [0]),
    ShapeError,
    /Squeeze: axis 0 of float32\[2, 3\] is not of size 1/,
  ],
  ["axes inserted twice", (b, { x }) => unsqueeze(b, x, [0, 0]), ShapeError, /Unsqueeze: .*twice/],
  ["parts of a Concat", (b, { x, y }) => concat(b, [x, y], 0), ShapeError, /Concat along axis 0/],
  [
    "sizes of a Split",
    (b, { x }) => split(b, x, 1, [1, 1]),
    ShapeError,
    /Split: the sizes 1, 1 do not add up to 3/,
  ],
  ["a step of 0", (b, { x }) => slice(b, x, 0, 0, 1, 0), ShapeError, /Slice: a step is 0/],
  [
    "pads of too few axes",
    (b, { x }) => pad(b, x, [1], [1]),
    ShapeError,
    /Pad: 4 pads are needed for 2 axes, but got 2/,
  ],
  [
    "an index out of range",
    (b) => gather(b, b.ints([1, 2]), 2),
    ShapeError,
    /Gather: an index is outside axis 0 of length 2/,
  ],
  [
    "updates of a ScatterND",
    (b, { x, i }) => scatterND(b, x, i, x),
    ShapeError,
    /ScatterND: .* need updates of shape \[2\]/,
  ],
  [
    "repeats of a Tile",
    (b, { x }) => b.apply(Tile, [x, b.ints([2])]),
    ShapeError,
    /Tile: float32\[2, 3\] needs 2 repeats, but got 1/,
  ],
  [
    "a scale that does not fit",
    (b, { x, v }) => layerNormalization(b, x, v),
    ShapeError,
    /LayerNormalization/,
  ],
  [
    "operands of an Einsum",
    (b, { x }) => einsum(b, "ij,jk->ik", x),
    GraphError,
    /Einsum "ij,jk->ik" is about 2 operands, but 1/,
  ],
  ["letters of an Einsum", (b, { x }) => einsum(b, "ij,jk->ik", x, x), ShapeError, /"j" is both 3 and 2/],
  [
    "a term of an Einsum",
    (b, { x }) => einsum(b, "ijk->i", x),
    ShapeError,
    /"ijk" does not fit operand 0 of rank 2/,
  ],
  ["an unknown letter of a result", (b, { x }) => einsum(b, "ij->k", x), GraphError, /letter "k"/],
  [
    "a missing operand",
    (b, { x }) => b.apply(Expand, [x]),
    GraphError,
    /Expand: the operand "shape" is missing; it takes the operands "input", "shape", and 1 were given/,
  ],
  [
    "a shape that is data",
    (b, { x }) => b.apply(Expand, [x, b.input("shape", "int64", [2])]),
    GraphError,
    /the shape must be known when the graph is built.*concrete/,
  ],
  [
    "a Range over data",
    (b, { s }) => b.apply(Range, [b.scalar("float32", 0), s, b.scalar("float32", 1)]),
    GraphError,
    /Range: its bounds must be known/,
  ],
  ["a Constant of strings", (b) => b.apply(Constant, [], {}), DTypeError, /Constant needs one of value/],
  ["an integer divided by 0", (b) => b.apply(Div, [b.ints([1]), b.ints([0])]), GraphError, /divided by zero/],
  [
    "Mod of floats",
    (b, { x }) => b.apply(Mod, [x, x]),
    DTypeError,
    /Mod of floats needs the attribute fmod = 1/,
  ],
  [
    "branches of different types",
    (b, { c, x, v }) =>
      ifElse(
        b,
        gather(b, gather(b, c, 0), 0),
        () => [x],
        () => [v],
      ),
    ShapeError,
    /If: output 0 is float32\[2, 3\] in one branch and float32\[4\]/,
  ],
  [
    "a condition of If",
    (b, { s, x }) =>
      ifElse(
        b,
        s,
        () => [x],
        () => [x],
      ),
    DTypeError,
    /If: the operand "cond" must be bool/,
  ],
  [
    "a loop that changes a shape",
    (b, { x }) =>
      loop(b, { trips: 2, carried: [x] }, (inner, _, [state]) => ({
        carried: [reduceSum(inner, state!, [0])],
      })),
    ShapeError,
    /Loop: "next0" starts as float32\[2, 3\] and comes back as float32\[3\]/,
  ],
  [
    "a loop that loses a value",
    (b, { x }) => loop(b, { trips: 2, carried: [x] }, () => ({ carried: [] })),
    GraphError,
    /1 values were carried in, but 0 came back/,
  ],
  [
    "a scan over different lengths",
    (b, { x, v }) => scan(b, { carried: [], inputs: [x, v] }, () => ({ carried: [], scans: [] })),
    ShapeError,
    /Scan walks along axes of different lengths: 2 and 4/,
  ],
  [
    "a scan that changes a shape",
    (b, { x, v }) => scan(b, { carried: [v], inputs: [x] }, (_, __, [row]) => ({ carried: [row!] })),
    ShapeError,
    /Scan: "next0" starts as float32\[4\] and comes back as float32\[3\]/,
  ],
];

describe("inference refuses, saying what was given and what to do", () => {
  for (const [name, build, kind, message] of mistakes) {
    it(name, () => {
      const b = new Builder();
      const given: Inputs = {
        x: b.input("x", "float32", [2, 3]),
        y: b.input("y", "float32", [2, 2]),
        v: b.input("v", "float32", [4]),
        i: b.input("i", "int64", [2, 2]),
        d: b.input("d", "float64", [2, 3]),
        c: b.input("c", "bool", [2, 3]),
        s: b.input("s", "float32", []),
      };
      expect(() => build(b, given)).to.throw(kind, message);
    });
  }

  it("constants are given the same scrutiny", () => {
    const b = new Builder();
    const [x, y] = [
      b.constant(tensor("float32", [2], [1, 2])),
      b.constant(tensor("float32", [3], [1, 2, 3])),
    ];
    expect(() => add(b, x, y)).to.throw(ShapeError, "Add: shapes [2] and [3]");
  });
});
