import { isFloat, numbers } from "../core/tensor.js";
import { broadcastShapes, type Dim, normaliseAxis, type Shape, sameShape } from "../graph/graph.js";
import { reductionAxes } from "../ops/broadcast.js";
import { isStatic } from "../ops/dims.js";
import { shaped } from "./layout.js";
import { type Place, type Rule, type Rules, throughIntegers, toFloat } from "./rule.js";

// Sums, products and extrema along axes, and products of matrices.

const reduction =
  (op: string): Rule =>
  (place) => {
    const { w, node, x } = place;
    const axes = reductionAxes(node.op.type, node.inputs, node.attributes);
    const keeps = node.attributes.keepdims !== 0;
    return transposable(place, x[0]!, (value) => w.node(op, [value, w.list(axes)], { keep_dims: keeps }));
  };

/**
 * What goes along axes other than the last transposes its operand first: where integers are not transposed, those go as
 * floats, which have all that are there.
 */
function transposable(place: Place, x: string, along: (value: string) => string): string {
  const { w, node, has } = place;
  if (isFloat(node.inputs[0]!.dtype) || !has("transposed integers")) return along(x);
  return w.node("Cast", [along(toFloat(place, x))], { DstT: { type: "int32" } });
}

const extremum =
  (op: Extremum): Rule =>
  (place) => {
    const { node, x } = place;
    const axes = reductionAxes(node.op.type, node.inputs, node.attributes);
    return extremumOf(place, op, x[0]!, axes, node.attributes.keepdims !== 0);
  };

type Extremum = "Max" | "Min";

/**
 * The largest or the smallest along axes. Where a backend starts with ∓1e20, and numbers are beyond that, it is that of the
 * numbers divided by 2⁶⁴, which they are exactly.
 */
function extremumOf(place: Place, op: Extremum, x: string, axes: readonly number[], keeps: boolean): string {
  const { w, node, has } = place;
  const along = (value: string) => w.node(op, [value, w.list(axes)], { keep_dims: keeps });
  if (!isFloat(node.inputs[0]!.dtype) || !has("extrema from 1e20 on")) return transposable(place, x, along);
  const scaled = w.node("Mul", [along(w.node("Mul", [x, w.float(2 ** -64)])), w.float(2 ** 64)]);
  const isBeyond =
    op === "Max" ? w.node("Less", [scaled, w.float(-1e20)]) : w.node("Greater", [scaled, w.float(1e20)]);
  return w.node("SelectV2", [isBeyond, scaled, along(x)]);
}

/**
 * The least (or the largest) index of an element that is equal to the extremum, of which NaN is none; 0 where the first
 * element is NaN, which nothing is better than. TensorFlow.js has ArgMax, but on a GPU any of equal elements may be it.
 */
const argument =
  (op: Extremum, worst: number): Rule =>
  (place) => {
    const { w, node, x, refuse } = place;
    const [data] = node.inputs;
    const { shape } = data!;
    const axis = normaliseAxis(Number(node.attributes.axis ?? 0), shape.length, node.op.type);
    const dim = shape[axis]!;
    if (typeof dim === "string") return refuse("it looks along an axis of unknown length");
    const isFloating = isFloat(data!.dtype);
    const isNumber = w.node("Equal", [x[0]!, x[0]!]);
    const numbersOf = isFloating ? w.node("SelectV2", [isNumber, x[0]!, w.float(worst)]) : x[0]!;
    const isBest = w.node("Equal", [x[0]!, extremumOf(place, op, numbersOf, [axis], true)]);
    const places = Float32Array.from({ length: dim }, (_, i) => i);
    const along = shape.map((_, i) => (i === axis ? dim : 1));
    const index = w.weight({ dtype: "float32", shape: along, data: places });
    const isLast = node.attributes.select_last_index === 1;
    const candidates = w.node("SelectV2", [isBest, index, w.float(isLast ? -1 : dim)]);
    const found = w.node(isLast ? "Max" : "Min", [candidates, w.list([axis])], { keep_dims: true });
    const sizes = shape.map((size, i) => (i === axis ? 1 : typeof size === "number" ? size : -1));
    const first = w.node("Slice", [x[0]!, w.list(shape.map(() => 0)), w.list(sizes)]);
    const settled = w.node("SelectV2", [w.node("Equal", [first, first]), found, w.float(0)]);
    const whole = w.node("Cast", [isFloating ? settled : found], { DstT: { type: "int32" } });
    return node.attributes.keepdims === 0 ? shaped(place, whole, node.outputs[0]!.shape) : whole;
  };

const runningSum: Rule = (place) => {
  const { w, node, x } = place;
  const axis = normaliseAxis(numbers(node.inputs[1]!.constant!)[0]!, node.inputs[0]!.shape.length, "CumSum");
  const { exclusive = 0, reverse = 0 } = node.attributes;
  const order = { exclusive: exclusive === 1, reverse: reverse === 1 };
  return transposable(place, x[0]!, (value) => w.node("Cumsum", [value, w.axis(axis)], order));
};

/**
 * A vector counts as a row on the left and as a column on the right. Stacks that differ are made one first: TensorFlow.js takes
 * the wrong matrices of some that broadcast.
 */
const matmul: Rule = (place) => {
  const { w, node, x } = place;
  const [p, q] = node.inputs.map((value) => value!.shape) as [Shape, Shape];
  const left = p.length === 1 ? [1, p[0]!] : p;
  const right = q.length === 1 ? [q[0]!, 1] : q;
  let [a, b] = [
    p.length === 1 ? shaped(place, x[0]!, left) : x[0]!,
    q.length === 1 ? shaped(place, x[1]!, right) : x[1]!,
  ];
  const shared = left.at(-1)!;
  const rows = left.slice(0, -1).filter((dim) => typeof dim === "string").length;
  if (right.length === 2 && left.length > 2 && rows <= 1) {
    // all rows of the stack at once
    const row = w.node("Reshape", [a, w.list([-1, left.at(-1) as number])]);
    const operands = [zeroBeyond(place, row, shared, 2, 1), zeroBeyond(place, b, shared, 2, 0)];
    const product = w.node("MatMul", operands, { transpose_a: false, transpose_b: false });
    return shaped(place, product, node.outputs[0]!.shape);
  }
  const [above, below] = [left.slice(0, -2), right.slice(0, -2)];
  const stack = broadcastShapes("MatMul", above, below);
  for (const [i, own] of [left, right].entries()) {
    if (sameShape(own.slice(0, -2), stack)) continue;
    const whole = [...stack, ...own.slice(-2)];
    if (!isStatic(whole))
      place.refuse("stacks of matrices broadcast, of which it is not known how many there are");
    const spread = w.node("BroadcastTo", [i === 0 ? a : b, w.list(whole as readonly number[])]);
    if (i === 0) a = spread;
    else b = spread;
  }
  const rank = stack.length + 2;
  const operands = [
    zeroBeyond(place, a, shared, rank, rank - 1),
    zeroBeyond(place, b, shared, rank, rank - 2),
  ];
  const product = w.node("BatchMatMulV2", operands, { adj_x: false, adj_y: false });
  return p.length === 1 || q.length === 1 ? shaped(place, product, node.outputs[0]!.shape) : product;
};

/**
 * A matrix of a product with zeros beyond the edge that is added up along, where a backend might have other numbers there. One
 * is enough: what pads has zeros beyond that, too.
 */
function zeroBeyond({ w, has }: Place, x: string, shared: Dim, rank: number, axis: number): string {
  if (!has("edges of products") || (typeof shared === "number" && shared % 2 === 0)) return x;
  const pads = Array.from({ length: rank }, (_, i) => [0, i === axis ? 1 : 0]).flat();
  return w.node("PadV2", [x, w.list(pads, [rank, 2]), w.setting(0)]);
}

/** α A′ B′ + β C */
const gemm: Rule = (place) => {
  const { w, node, x } = place;
  const [a, b, c] = x;
  const { alpha = 1, beta = 1, transA = 0, transB = 0 } = node.attributes as Readonly<Record<string, number>>;
  const [row, column] = [transA === 1 ? 0 : 1, transB === 1 ? 1 : 0];
  const shared = node.inputs[0]!.shape[row]!;
  const operands = [zeroBeyond(place, a!, shared, 2, row), zeroBeyond(place, b!, shared, 2, column)];
  const product = w.node("MatMul", operands, { transpose_a: transA === 1, transpose_b: transB === 1 });
  const scaled = alpha === 1 ? product : w.node("Mul", [product, w.float(Math.fround(alpha))]);
  if (c === undefined) return scaled;
  return w.node("AddV2", [scaled, beta === 1 ? c : w.node("Mul", [c, w.float(Math.fround(beta))])]);
};

export const reductions: Rules = {
  ...{ ReduceSum: reduction("Sum"), ReduceProd: reduction("Prod") },
  ...{ ReduceMax: throughIntegers(extremum("Max")), ReduceMin: throughIntegers(extremum("Min")) },
  ...{
    ArgMax: argument("Max", Number.NEGATIVE_INFINITY),
    ArgMin: argument("Min", Number.POSITIVE_INFINITY),
    CumSum: runningSum,
  },
  ...{ MatMul: matmul, Gemm: gemm },
};
