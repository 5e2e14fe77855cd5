import { tensor } from "../../src/core/tensor.js";
import type { Op } from "../../src/graph/graph.js";
import { onnxTypeNumber } from "../../src/graph/types.js";
import { opset } from "../../src/ops/opset.js";
import { at, bools, type Case, draw, elementwise, ints, one, pairs } from "./cases.js";

const away = { avoid: [0] };
const positive = { low: 0.2, high: 3 };
const inner = { low: -0.9, high: 0.9 };
const matrix = draw([2, 3]);

/** What every reduction is tried with: all axes, some, none, kept or not, negative ones. */
function reductions(domain = {}): Case[] {
  const x = draw([2, 3, 2], domain);
  return [
    one("all axes", [x]),
    one("all axes, kept", [x], { keepdims: 1 }),
    one("axis 1", [x, ints([1])], { keepdims: 0 }),
    one("axes 0 and −1, kept", [x, ints([0, -1])], { keepdims: 1 }),
    one("no axes", [x], { noop_with_empty_axes: 1 }),
    one("a scalar", [draw([], domain)], { keepdims: 0 }),
  ];
}

const alongAxes = (domain = {}): Case[] => [
  one("the last axis", [draw([2, 3], domain)]),
  one("axis 0", [draw([3, 2], domain)], { axis: 0 }),
  one("axis −2", [draw([2, 3, 2], domain)], { axis: -2 }),
];

/** Operands of a recurrent operator with so many gates: 2 times, 2 sequences, 1 input, 2 units. */
function recurrent(gates: number, directions: number, ...given: readonly string[]): Case["operands"] {
  const half = { low: -0.8, high: 0.8 };
  const state = draw([directions, 2, 2], half);
  const optional = (name: string, operand: Case["operands"][number]) =>
    given.includes(name) ? operand : null;
  return [
    draw([2, 2, 1], half),
    draw([directions, 2 * gates, 1], half),
    draw([directions, 2 * gates, 2], half),
    optional("B", draw([directions, 4 * gates], half)),
    optional("lengths", tensor("int32", [2], [2, 1])),
    optional("h", state),
    ...(gates === 4 ? [optional("c", state), optional("P", draw([directions, 6], half))] : []),
  ];
}

/** Cases by operator type. Each operator with a rule has some. */
const table: Readonly<Record<string, readonly Case[]>> = {
  Add: pairs(),
  Sub: pairs(),
  Mul: pairs(),
  Div: pairs({}, { low: 0.5, high: 2 }),
  Neg: elementwise(),
  RNN: [
    one("forwards", recurrent(1, 1, "B")),
    one("both ways, from a state, of lengths", recurrent(1, 2, "B", "lengths", "h"), {
      ...{ direction: "bidirectional", activations: ["Tanh", "Softsign"] },
    }),
    one("a batch that leads", [draw([2, 3, 1]), draw([1, 2, 1]), draw([1, 2, 2])], {
      layout: 1,
      hidden_size: 2,
    }),
  ],
  GRU: [
    one("forwards", recurrent(3, 1, "B")),
    one(
      "backwards, the reset after the recurrence, from a state, of lengths",
      recurrent(3, 1, "B", "lengths", "h"),
      {
        ...{ direction: "reverse", linear_before_reset: 1 },
      },
    ),
    one("without biases", recurrent(3, 1), { linear_before_reset: 1 }),
    one("with activations that have parameters, both ways", recurrent(3, 2, "B"), {
      ...{ direction: "bidirectional", activations: ["HardSigmoid", "Softplus", "Sigmoid", "Elu"] },
      ...{ activation_alpha: [0.15, 0.8], activation_beta: [0.4] },
    }),
  ],
  LSTM: [
    one("forwards", recurrent(4, 1, "B")),
    one(
      "both ways, from a state, of lengths, with peepholes",
      recurrent(4, 2, "B", "lengths", "h", "c", "P"),
      {
        direction: "bidirectional",
      },
    ),
    one("that forgets what it does not take in", recurrent(4, 1, "B"), { input_forget: 1 }),
    one("cut off", recurrent(4, 1, "B", "P"), { clip: 0.7 }),
  ],
  TopK: [
    one("the last axis", [draw([2, 5]), ints([3])]),
    one("the smallest, axis 0", [draw([4, 2]), ints([2])], { axis: 0, largest: 0 }),
    one("all of a middle axis", [draw([2, 3, 2]), ints([3])], { axis: 1 }),
    one("in any order", [draw([4]), ints([4])], { sorted: 0 }),
  ],
  Resize: [
    one("nearest, twice as long", [draw([1, 2, 3]), null, null, ints([1, 2, 6])]),
    one("nearest, shorter", [draw([1, 1, 5, 4]), null, null, ints([1, 1, 3, 2])], { nearest_mode: "floor" }),
    one("linear", [draw([2, 1, 3, 2]), null, null, ints([4, 3])], { mode: "linear", axes: [2, 3] }),
    one("linear, corners aligned", [draw([1, 1, 3, 3]), null, null, ints([1, 1, 5, 2])], {
      ...{ mode: "linear", coordinate_transformation_mode: "align_corners" },
    }),
    one("linear, taking in all", [draw([1, 1, 7]), null, null, ints([1, 1, 3])], {
      ...{ mode: "linear", antialias: 1 },
    }),
    one("cubic", [draw([1, 1, 4, 3]), null, null, ints([1, 1, 6, 5])], { mode: "cubic" }),
    one("cubic, without what lies outside", [draw([1, 1, 5]), null, null, ints([1, 1, 3])], {
      ...{ mode: "cubic", exclude_outside: 1, antialias: 1 },
    }),
    one(
      "a part that reaches beyond",
      [
        draw([1, 1, 4, 4]),
        tensor("float32", [8], [0, 0, 0.3, 0.2, 1, 1, 1.3, 0.9]),
        null,
        ints([1, 1, 3, 3]),
      ],
      { mode: "linear", coordinate_transformation_mode: "tf_crop_and_resize", extrapolation_value: 2 },
    ),
  ],
  Pow: [
    ...pairs(positive),
    ...[2, 3, -1, 0, 1, 4].map((exponent) =>
      one(`to ${exponent}, of negative numbers too`, [draw([2, 3], away), tensor("float64", [], [exponent])]),
    ),
    ...[0.5, -1.5].map((exponent) =>
      one(`to ${exponent}`, [draw([4], positive), tensor("float64", [], [exponent])]),
    ),
    one("an int64 exponent", [draw([3], away), ints([3, 0, -2])]),
    one("different constant exponents", [draw([2, 3], positive), tensor("float64", [3], [0, 1, 2.5])]),
  ],
  Mod: pairs({ low: 0.1, high: 0.9 }, { low: 1.1, high: 1.9 }, { fmod: 1 }).concat(
    one("negative dividends", [tensor("float64", [3], [-5.3, 4.1, 7.7]), draw([3], { low: 1.9, high: 2 })], {
      fmod: 1,
    }),
  ),
  Exp: elementwise(),
  Log: elementwise(positive),
  Sqrt: elementwise(positive),
  Reciprocal: elementwise({ avoid: [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3] }),
  Abs: elementwise(away),
  Sign: elementwise(away),
  Floor: elementwise({ avoid: [-2, -1, 0, 1, 2] }),
  Ceil: elementwise({ avoid: [-2, -1, 0, 1, 2] }),
  Round: elementwise({ avoid: [-1.5, -0.5, 0.5, 1.5] }),
  Sin: elementwise(),
  Cos: elementwise(),
  Tan: elementwise({ low: -1, high: 1 }),
  Asin: elementwise(inner),
  Acos: elementwise(inner),
  Atan: elementwise(),
  Sinh: elementwise(),
  Cosh: elementwise(),
  Tanh: elementwise(),
  Asinh: elementwise(),
  Acosh: elementwise({ low: 1.2, high: 3 }),
  Atanh: elementwise(inner),
  Sigmoid: elementwise(),
  Relu: elementwise(away),
  LeakyRelu: elementwise(away, {}, { alpha: 0.3 }),
  ThresholdedRelu: elementwise({ avoid: [1, 0.3] }, {}, { alpha: 0.3 }),
  PRelu: [
    one("a slope each", [draw([2, 3], away), draw([2, 3])]),
    one("a slope per column", [draw([2, 3], away), draw([3])]),
    one("one slope", [draw([2, 3], away), draw([])]),
  ],
  Elu: elementwise(away, {}, { alpha: 0.3 }),
  Selu: elementwise(away, {}, { alpha: 1.3, gamma: 0.7 }),
  Celu: elementwise(away, {}, { alpha: 0.6 }),
  Softplus: elementwise(),
  Softsign: elementwise(away),
  HardSigmoid: elementwise(
    { low: -4, high: 4, avoid: [-2.5, 2.5, -1.5, 0.5] },
    {},
    { alpha: 0.5, beta: 0.75 },
  ),
  HardSwish: elementwise({ low: -5, high: 5, avoid: [-3, 3] }),
  Mish: elementwise(),
  Erf: elementwise({ avoid: [-0.46875, 0.46875] }),
  Gelu: elementwise({}, {}, { approximate: "tanh" }),
  Max: [
    ...pairs({ low: -2, high: 0 }, { low: 0.1, high: 2 }),
    ...pairs(),
    one("three", [draw([2, 2]), draw([2]), draw([])]),
  ],
  Min: [...pairs(), one("three", [draw([2, 2]), draw([2]), draw([])]), one("one alone", [matrix])],
  Sum: [...pairs(), one("three", [draw([2, 2]), draw([2]), draw([])]), one("one alone", [matrix])],
  Mean: [...pairs(), one("three", [draw([2, 2]), draw([2]), draw([])]), one("one alone", [matrix])],
  Clip: [
    one("both bounds constant", [
      draw([3, 3], { avoid: [-0.5, 1] }),
      tensor("float64", [], [-0.5]),
      tensor("float64", [], [1]),
    ]),
    one("bounds that are differentiated", [
      draw([3, 3], { avoid: [-0.5, 0.5] }),
      draw([], { low: -0.52, high: -0.48 }),
      draw([], { low: 0.48, high: 0.52 }),
    ]),
    one("from below", [draw([3, 3], { avoid: [0] }), tensor("float64", [], [0])]),
    one("from above", [draw([3, 3], { avoid: [0] }), null, tensor("float64", [], [0])]),
    one("no bounds", [matrix]),
  ],
  Where: [
    one("equal shapes", [bools([1, 0, 1, 0], [2, 2]), draw([2, 2]), draw([2, 2])]),
    one("broadcasting all three", [bools([1, 0]), draw([3, 1]), draw([])]),
    one("a condition of more axes", [bools([1, 0, 0, 1], [2, 2, 1]), draw([2, 1]), draw([1, 3])]),
    one("a condition that always holds", [bools([1, 1]), draw([2, 2]), draw([2])]),
    one("a condition that never holds", [bools([0], []), draw([2]), draw([2, 2])]),
  ],
  Expand: [
    one("new axes", [draw([3]), ints([2, 1, 3])]),
    one("axes of size 1", [draw([2, 1]), ints([2, 3])]),
    one("a scalar", [draw([]), ints([2])]),
    one("to a smaller shape", [draw([2, 3]), ints([1])]),
  ],
  ReduceSum: reductions(),
  ReduceMean: reductions(),
  ReduceMax: reductions(),
  ReduceMin: reductions(),
  ReduceProd: [
    ...reductions(away),
    one("one zero", [at(1.5, 0, -2)], {}, "exact where no element is zero"),
    one("two zeros", [at(0, 1.5, 0)], {}, "exact where no element is zero"),
  ],
  ReduceL1: reductions(away),
  ReduceL2: reductions(away),
  ReduceSumSquare: reductions(),
  ReduceLogSum: reductions(positive),
  ReduceLogSumExp: reductions(),
  Softmax: alongAxes(),
  LogSoftmax: alongAxes(),
  LayerNormalization: [
    one("the last axis, with bias", [draw([2, 3]), draw([3]), draw([3])]),
    one("from axis 1, without bias", [draw([2, 3, 2]), draw([3, 2])], { axis: 1, epsilon: 0.01 }),
    one("everything, scale and bias that broadcast", [draw([2, 3]), draw([3]), draw([2, 1])], { axis: 0 }),
  ],
  GroupNormalization: [
    one("two groups", [draw([2, 4, 3]), draw([4]), draw([4])], { num_groups: 2 }),
    one("images", [draw([1, 4, 2, 2]), draw([4]), draw([4])], { num_groups: 2, epsilon: 0.1 }),
  ],
  InstanceNormalization: [one("two channels", [draw([2, 2, 4]), draw([2]), draw([2])], { epsilon: 0.01 })],
  BatchNormalization: [
    one("after training", [draw([2, 3, 2]), draw([3]), draw([3]), draw([3]), draw([3], positive)]),
    one("without places", [draw([2, 3]), draw([3]), draw([3]), draw([3]), draw([3], positive)], {
      epsilon: 0.1,
    }),
  ],
  Einsum: [
    one("a product of matrices", [draw([2, 3]), draw([3, 2])], { equation: "ij,jk->ik" }),
    one("a bilinear form, a letter alone", [draw([2, 3]), draw([2, 2])], { equation: "bi,bj->b" }),
    one("without a result", [draw([2, 3]), draw([3, 2])], { equation: "ij, jk" }),
    one("stacks", [draw([2, 2, 3]), draw([1, 3, 2])], { equation: "...ij,...jk->...ik" }),
    one("a stack and a matrix", [draw([2, 2, 3]), draw([3, 2])], { equation: "...ij,...jk->...ik" }),
    one("one operand", [draw([2, 3])], { equation: "ij->j" }),
    one("three", [draw([2, 2]), draw([2, 3]), draw([3])], { equation: "ij,jk,k->i" }),
  ],
  MatMul: [
    one("matrices", [draw([2, 3]), draw([3, 2])]),
    one("stacks", [draw([2, 2, 3]), draw([2, 3, 2])]),
    one("a stack and a matrix", [draw([2, 2, 3]), draw([3, 2])]),
    one("a matrix and a stack", [draw([2, 3]), draw([2, 3, 1])]),
    one("stacks that broadcast", [draw([2, 1, 1, 2]), draw([3, 2, 2])]),
    one("vectors", [draw([3]), draw([3])]),
    one("a vector and a matrix", [draw([3]), draw([3, 2])]),
    one("a matrix and a vector", [draw([2, 3]), draw([3])]),
    one("a vector and a stack", [draw([3]), draw([2, 3, 2])]),
    one("a stack and a vector", [draw([2, 2, 3]), draw([3])]),
  ],
  Gemm: [
    one("plain", [draw([2, 3]), draw([3, 2])]),
    ...[0, 1].flatMap((transA) =>
      [0, 1].map((transB) =>
        one(
          `transA ${transA}, transB ${transB}, a row added`,
          [draw(transA ? [3, 2] : [2, 3]), draw(transB ? [4, 3] : [3, 4]), draw([4])],
          { transA, transB, alpha: 0.5, beta: 2 },
        ),
      ),
    ),
    one("a scalar added", [draw([2, 3]), draw([3, 2]), draw([])]),
    one("a column added", [draw([2, 3]), draw([3, 2]), draw([2, 1])], { beta: -1 }),
  ],
  Identity: [one("a matrix", [matrix])],
  Cast: [one("to itself", [matrix], { to: onnxTypeNumber.float64 })],
  Reshape: [
    one("flat", [matrix, ints([-1])]),
    one("split, one copied", [matrix, ints([0, 3, 1])]),
    one("of a scalar", [draw([]), ints([1, 1])]),
  ],
  Transpose: [
    one("reversed", [draw([2, 3, 1])]),
    one("a permutation", [draw([2, 3, 2])], { perm: [2, 0, 1] }),
  ],
  Squeeze: [one("all", [draw([1, 3, 1])]), one("the last", [draw([1, 3, 1]), ints([-1])])],
  Unsqueeze: [one("two axes", [draw([3]), ints([0, -1])])],
  Flatten: [
    one("axis 1", [draw([2, 1, 3])]),
    one("axis 0", [matrix], { axis: 0 }),
    one("axis −1", [draw([2, 2, 2])], { axis: -1 }),
  ],
  Concat: [
    one("axis 0", [draw([1, 2]), draw([2, 2])], { axis: 0 }),
    one("axis −1, three", [draw([2, 1]), draw([2, 2]), draw([2, 1])], { axis: -1 }),
    one("one alone", [matrix], { axis: 1 }),
  ],
  Split: [
    one("sizes", [draw([2, 4]), ints([1, 3])], { axis: 1 }),
    one("equal parts", [draw([4, 2])], { num_outputs: 2 }),
    one("a smaller last part", [draw([5])], { num_outputs: 2, axis: -1 }),
  ],
  Slice: [
    one("the middle", [draw([5, 2]), ints([1]), ints([4])]),
    one("huge ends, negative starts", [
      draw([3, 4]),
      ints([-2, 1]),
      ints([2 ** 31 - 1, Number.MAX_SAFE_INTEGER]),
    ]),
    one("a step of 2", [draw([2, 5]), ints([0]), ints([5]), ints([1]), ints([2])]),
    one("a step of 3 that ends early", [draw([8]), ints([1]), ints([6]), ints([0]), ints([3])]),
    one("backwards", [draw([2, 4]), ints([-1]), ints([-(2 ** 40)]), ints([-1]), ints([-1])]),
    one("backwards by 2, on two axes", [
      draw([5, 4]),
      ints([4, 3]),
      ints([0, -100]),
      ints([0, 1]),
      ints([-2, -3]),
    ]),
    one("nothing", [draw([3]), ints([2]), ints([1])]),
    one("everything", [matrix, ints([0]), ints([2])]),
  ],
  Pad: [
    one("both sides", [draw([2, 3]), ints([1, 0, 0, 2])]),
    one("cutting", [draw([3, 4]), ints([-1, 1, 0, -2])]),
    one("a constant that is differentiated", [draw([2, 2]), ints([1, -1, 0, 2]), draw([])]),
    one("chosen axes", [draw([2, 3]), ints([1, 2]), null, ints([-1])]),
    ...["reflect", "edge", "wrap"].map((mode) => one(mode, [draw([3, 4]), ints([1, 2, 2, 3])], { mode })),
    one("reflect, one side", [draw([3, 2]), ints([0, 1, 0, 0])], { mode: "reflect" }),
    one("no pads", [matrix, ints([0, 0, 0, 0])]),
  ],
  Gather: [
    one("rows, one twice", [draw([3, 2]), ints([2, 0, 2])]),
    one("negative indices, axis 1", [draw([2, 3]), ints([-1, 1])], { axis: 1 }),
    one("a scalar index", [draw([3, 2]), ints([1], [])], { axis: 0 }),
    one("a matrix of indices, axis −1", [draw([2, 3]), ints([0, 1, 2, 0], [2, 2])], { axis: -1 }),
    one("a middle axis", [draw([2, 3, 2]), ints([-3, 2, 2])], { axis: 1 }),
    one("int32 indices", [draw([3]), tensor("int32", [2], [1, 1])]),
  ],
  GatherElements: [
    one("axis 0, repeated", [draw([3, 2]), ints([0, 2, 0, -1], [2, 2])]),
    one("axis 1", [draw([2, 3]), ints([1, 1, 0, 2], [2, 2])], { axis: 1 }),
  ],
  Conv: [
    one("two axes, with a bias", [draw([2, 3, 4, 5]), draw([2, 3, 2, 3]), draw([2])]),
    one("strides, pads and dilations", [draw([1, 2, 5, 6]), draw([3, 2, 2, 2])], {
      ...{ strides: [2, 1], pads: [1, 0, 2, 1], dilations: [1, 2] },
    }),
    one("groups, along one axis", [draw([2, 4, 6]), draw([6, 2, 3]), draw([6])], { group: 2, pads: [1, 1] }),
    one("same size, more after", [draw([1, 1, 4, 4]), draw([1, 1, 2, 2])], { auto_pad: "SAME_UPPER" }),
  ],
  ConvTranspose: [
    one("two axes, with a bias", [draw([2, 3, 3, 2]), draw([3, 2, 2, 3]), draw([2])]),
    one("strides, pads and output_padding", [draw([1, 2, 3, 3]), draw([2, 3, 3, 3])], {
      ...{ strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
    }),
    one("groups, dilated, along one axis", [draw([2, 4, 3]), draw([4, 2, 2])], { group: 2, dilations: [2] }),
  ],
  AveragePool: [
    one("two axes", [draw([2, 2, 4, 5])], { kernel_shape: [2, 3] }),
    one("pads that do not count", [draw([1, 2, 4, 4])], {
      ...{ kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    }),
    one("pads that count, rounded up", [draw([1, 2, 4, 4])], {
      ...{ kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1], count_include_pad: 1, ceil_mode: 1 },
    }),
  ],
  MaxPool: [
    one("two axes", [draw([2, 2, 4, 5])], { kernel_shape: [2, 3] }),
    one("strides, pads and dilations", [draw([1, 2, 5, 5])], {
      ...{ kernel_shape: [2, 2], strides: [2, 2], pads: [1, 1, 1, 1], dilations: [2, 2] },
    }),
  ],
  GatherND: [
    one("elements, one twice", [draw([2, 3]), ints([0, 1, 1, -1, 0, 1], [3, 2])]),
    one("rows", [draw([3, 2]), ints([2, 2, 0], [3, 1])]),
  ],
  ScatterElements: [
    one("replacing", [draw([3, 2]), ints([0, 2], [1, 2]), draw([1, 2])]),
    one("adding, twice in one place", [draw([2, 3]), ints([1, 1, 0, -1], [2, 2]), draw([2, 2])], {
      axis: 1,
      reduction: "add",
    }),
  ],
  ScatterND: [
    one("replacing rows", [draw([3, 2]), ints([2, 0], [2, 1]), draw([2, 2])]),
    one("replacing elements", [draw([2, 3]), ints([0, -1, 1, 0], [2, 2]), draw([2])], { reduction: "none" }),
    one("adding, twice in one place", [draw([3, 2]), ints([1, 1], [2, 1]), draw([2, 2])], {
      reduction: "add",
    }),
  ],
  Tile: [
    one("both axes", [draw([2, 3]), ints([2, 3])]),
    one("one axis", [draw([2, 1]), ints([1, 2])]),
    one("nothing", [matrix, ints([1, 1])]),
  ],
  Trilu: [
    one("upper", [draw([3, 3])]),
    one("lower, k = −1", [draw([2, 3, 4]), ints([-1], [])], { upper: 0 }),
  ],
  CumSum: [
    one("axis 0", [draw([3, 2]), ints([0], [])]),
    one("exclusive", [draw([2, 3]), ints([-1], [])], { exclusive: 1 }),
    one("reverse", [draw([2, 3]), ints([1], [])], { reverse: 1 }),
    one("exclusive and reverse", [draw([4]), ints([0], [])], { exclusive: 1, reverse: 1 }),
  ],
  OneHot: [
    one("the values are differentiated", [ints([2, 0, -1]), ints([3], []), draw([2])]),
    one("axis 0", [ints([1, 0]), ints([2], []), draw([2])], { axis: 0 }),
  ],
  Shrink: elementwise({ avoid: [-0.5, 0.5, -1, 1] }, {}, { lambd: 1, bias: 0.3 }),
  LpNormalization: [
    one("Σ |x|, the last axis", [draw([2, 3], away)], { p: 1 }),
    one("√Σ x², axis 0", [draw([2, 3])], { axis: 0 }),
  ],
  MeanVarianceNormalization: [
    one("batch and places", [draw([2, 2, 2, 2])]),
    one("one axis", [draw([2, 3])], { axes: [1] }),
  ],
  GlobalAveragePool: [one("an image", [draw([2, 2, 2, 3])])],
  GlobalMaxPool: [one("a signal", [draw([2, 2, 3])])],
  NegativeLogLikelihoodLoss: [
    one("the mean", [draw([3, 4]), ints([2, 0, 3])]),
    one("weights", [draw([3, 4]), ints([2, 0, 3]), draw([4], positive)]),
    one("each, with one that does not count", [draw([3, 4]), ints([2, -1, 3])], {
      reduction: "none",
      ignore_index: -1,
    }),
  ],
  SoftmaxCrossEntropyLoss: [
    one("the mean", [draw([3, 4]), ints([2, 0, 3])]),
    one("a weighted sum over places", [draw([2, 3, 2]), ints([2, 0, 1, 2], [2, 2]), draw([3], positive)], {
      reduction: "sum",
    }),
    one("with one that does not count", [draw([3, 4]), ints([2, 1, 3]), draw([4], positive)], {
      ignore_index: 1,
    }),
  ],
  SpaceToDepth: [one("squares of 2 by 2", [draw([1, 2, 2, 4])], { blocksize: 2 })],
  DepthToSpace: [
    one("squares of 2 by 2", [draw([1, 8, 1, 2])], { blocksize: 2 }),
    one("the depth in front", [draw([1, 8, 2, 1])], { blocksize: 2, mode: "CRD" }),
  ],
};

/** Why the other operators have no case: nothing is differentiated through them. */
export const withoutRule: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      "Equal",
      "Less",
      "LessOrEqual",
      "Greater",
      "GreaterOrEqual",
      "And",
      "Or",
      "Xor",
      "Not",
      "IsNaN",
      "IsInf",
    ].map((type) => [type, "yields bools"]),
  ),
  ...Object.fromEntries(
    ["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift"].map((type) => [
      type,
      "yields integers",
    ]),
  ),
  Hardmax: "is constant where it has a derivative",
  ArgMax: "yields indices",
  ArgMin: "yields indices",
  Shape: "yields integers, whatever the operand's elements are",
  Size: "yields integers, whatever the operand's elements are",
  Constant: "has no operands",
  ConstantOfShape: "its operand is a shape",
  EyeLike: "depends on the operand's shape only",
  Range: "its operands must be known when the graph is built",
  Loop: "has a rule in autodiff, for its body captures values",
  If: "likewise",
  Scan: "likewise",
};

export const cases: ReadonlyMap<Op, readonly Case[]> = new Map(
  Object.entries(table).map(([type, list]) => {
    const op = opset.get(type);
    if (op === undefined) throw new Error(`The opset has no ${type}.`);
    return [op, list];
  }),
);
