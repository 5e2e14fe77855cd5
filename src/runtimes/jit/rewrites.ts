import { numbers, tensor } from "../../core/tensor.js";
import type { Builder } from "../../graph/builder.js";
import { type Attributes, normaliseAxis, type Op, type Value } from "../../graph/graph.js";
import type { Rewrite } from "../../graph/passes.js";
import { anything, takes } from "../../graph/signature.js";
import { add, div, mul, sub } from "../../ops/arithmetic.js";
import { reduceSum } from "../../ops/broadcast.js";
import { abs, exp, log, sqrt } from "../../ops/elementwise.js";
import { maximum, minimum } from "../../ops/extrema.js";
import { gemm, matmul } from "../../ops/linalg.js";
import { equal, greaterOrEqual, lessOrEqual, where } from "../../ops/logic.js";
import { pow } from "../../ops/power.js";
import { reduceMax } from "../../ops/reduce.js";
import { cast, reshape, transpose } from "../../ops/reshape.js";
import { einsum } from "./einsum.js";
import { hasEmitter } from "./scope.js";

type Rule = (
  b: Builder,
  inputs: readonly (Value | null)[],
  attributes: Attributes,
) => readonly Value[] | null;

/** The operand with its elements in a row. Emitted where the operand is, so weights are packed once per run. */
export const Packed: Op = { type: "Packed", inputs: [takes("x", anything)], infer: ([x]) => [x!] };

/** What operators are made of here. `null` keeps them as they are. */
const rules: Readonly<Record<string, Rule>> = {
  /** α A' B' + β C, with B' in rows; outer products are broadcasts */
  Gemm(b, [a, w, c], attributes) {
    const { alpha = 1, beta = 1, transA = 0, transB = 0 } = attributes as Record<string, number>;
    if (alpha !== 1 || beta !== 1) {
      const product = gemm(b, a!, w!, null, { transA, transB });
      const scaled = alpha === 1 ? product : mul(b, product, alpha);
      return [c ? add(b, scaled, beta === 1 ? c : mul(b, c, beta)) : scaled];
    }
    const [rows, inner] = (transA === 1 ? [...a!.shape].reverse() : a!.shape) as [number, number];
    const columns = (transB === 1 ? w!.shape[0] : w!.shape[1]) as number;
    const left = transA === 1 && (rows === 1 || inner === 1) ? reshape(b, a!, [rows, inner]) : a!;
    const right =
      transB === 0
        ? w!
        : inner === 1 || columns === 1
          ? reshape(b, w!, [inner, columns])
          : b.apply(Packed, [transpose(b, w!, [1, 0])]);
    const keepsA = left === a ? transA : 0;
    if (inner === 1) {
      const product = mul(b, keepsA === 1 ? reshape(b, left, [rows, 1]) : left, right);
      return [c ? add(b, product, c) : product];
    }
    if (left === a && transB === 0) return null;
    return [gemm(b, left, right, c ?? null, { transA: keepsA })];
  },
  MatMul(b, [x, y]) {
    const [p, q] = [x!.shape as number[], y!.shape as number[]];
    if (!x!.dtype.startsWith("float")) return [integerProduct(b, x!, y!)];
    if (p.length === 1 || q.length === 1) {
      const left = p.length === 1 ? reshape(b, x!, [1, p[0]!]) : x!;
      const right = q.length === 1 ? reshape(b, y!, [q[0]!, 1]) : y!;
      const shape = [
        ...(p.length === 1 ? q.slice(0, -2) : p.slice(0, -1)),
        ...(q.length === 1 ? [] : [q.at(-1)!]),
      ];
      return [reshape(b, matmul(b, left, right), shape)];
    }
    if (p.length > 2 && q.length === 2) {
      const flat = reshape(b, x!, [p.slice(0, -1).reduce((r, d) => r * d, 1), p.at(-1)!]);
      return [reshape(b, matmul(b, flat, y!), [...p.slice(0, -1), q[1]!])];
    }
    return null;
  },
  Softmax(b, [x], attributes) {
    const axis = axisOf(x!, attributes, -1);
    const e = exp(b, sub(b, x!, reduceMax(b, x!, [axis], true)));
    return [div(b, e, reduceSum(b, e, [axis], true))];
  },
  LogSoftmax(b, [x], attributes) {
    const axis = axisOf(x!, attributes, -1);
    const shifted = sub(b, x!, reduceMax(b, x!, [axis], true));
    return [sub(b, shifted, log(b, reduceSum(b, exp(b, shifted), [axis], true)))];
  },
  ReduceSum: (b, inputs, attributes) => withoutOnes(b, inputs, attributes),
  ReduceMax: (b, inputs, attributes) => withoutOnes(b, inputs, attributes),
  ReduceMin: (b, inputs, attributes) => withoutOnes(b, inputs, attributes),
  ReduceProd: (b, inputs, attributes) => withoutOnes(b, inputs, attributes),
  ReduceMean: (b, inputs, attributes) => {
    const axes = reducedAxes(inputs, attributes);
    const count = axes.reduce((p, axis) => p * (inputs[0]!.shape[axis] as number), 1);
    const sum = total(b, inputs, attributes, inputs[0]!);
    // the reciprocal of a power of two is exact, and to multiply by it is faster
    return [Number.isInteger(Math.log2(count)) ? mul(b, sum, 1 / count) : div(b, sum, count)];
  },
  ReduceL1: (b, inputs, attributes) => [total(b, inputs, attributes, abs(b, inputs[0]!))],
  ReduceL2: (b, inputs, attributes) => [
    sqrt(b, total(b, inputs, attributes, mul(b, inputs[0]!, inputs[0]!))),
  ],
  ReduceSumSquare: (b, inputs, attributes) => [total(b, inputs, attributes, mul(b, inputs[0]!, inputs[0]!))],
  ReduceLogSum: (b, inputs, attributes) => [log(b, total(b, inputs, attributes, inputs[0]!))],
  ReduceLogSumExp(b, inputs, attributes) {
    const axes = reducedAxes(inputs, attributes);
    const largest = reduceMax(b, inputs[0]!, axes, true);
    // an infinite maximum is the result, and would make a NaN of its own difference
    const shift = maximum(b, minimum(b, largest, Number.MAX_VALUE), -Number.MAX_VALUE);
    const sum = reduceSum(b, exp(b, sub(b, inputs[0]!, shift)), axes, true);
    const result = add(b, log(b, sum), shift);
    const kept = result.shape.filter((_, axis) => !axes.includes(axis)) as number[];
    return [attributes.keepdims === 0 ? reshape(b, result, kept) : result];
  },
  Trilu(b, [x, k], { upper = 1 }) {
    const [rows, columns] = x!.shape.slice(-2) as [number, number];
    const diagonal = Array.from(
      { length: rows * columns },
      (_, i) => (i % columns) - Math.floor(i / columns),
    );
    const distance = b.constant(tensor("int64", [rows, columns], diagonal));
    const from = k ?? b.scalar("int64", 0);
    const mask = upper === 1 ? greaterOrEqual(b, distance, from) : lessOrEqual(b, distance, from);
    return [where(b, mask, x!, b.scalar(x!.dtype, 0))];
  },
  Einsum: (b, inputs, attributes) => [einsum(b, attributes.equation as string, inputs as readonly Value[])],
  Clip(b, [x, low, high]) {
    const above = low ? maximum(b, x!, low) : x!;
    return [high ? minimum(b, above, high) : above];
  },
  /** powers by constants that are a few multiplications */
  Pow(b, [x, y]) {
    const exponent = y!.constant !== null && y!.constant.data.length === 1 ? numbers(y!.constant)[0]! : null;
    if (!x!.dtype.startsWith("float")) {
      return [cast(b, pow(b, cast(b, x!, "float64"), cast(b, y!, "float64")), x!.dtype)];
    }
    if (y!.dtype !== x!.dtype) return [pow(b, x!, cast(b, y!, x!.dtype))];
    if (exponent === null || y!.shape.length > x!.shape.length) return null;
    if (exponent === 2) return [mul(b, x!, x!)];
    if (exponent === 3) return [mul(b, mul(b, x!, x!), x!)];
    if (exponent === -1) return [div(b, 1, x!)];
    if (exponent === 0.5 || exponent === 1.5) {
      // a root is not: of −∞, infinite, and of −0, 0
      const root = sqrt(b, x!);
      const power = exponent === 0.5 ? add(b, root, 0) : mul(b, x!, root);
      return [where(b, equal(b, x!, -Infinity), Infinity, power)];
    }
    return null;
  },
};

/** Σₖ xᵢₖ yₖⱼ, by broadcasting: exact for integers, and they are few. */
function integerProduct(b: Builder, x: Value, y: Value): Value {
  const [p, q] = [x.shape as number[], y.shape as number[]];
  const left = p.length === 1 ? [p[0]!, 1] : [...p, 1];
  const right = q.length === 1 ? [q[0]!, 1] : [...q.slice(0, -2), 1, ...q.slice(-2)];
  const sum = reduceSum(b, mul(b, reshape(b, x, left), reshape(b, y, right)), [-2]);
  return q.length === 1 ? reshape(b, sum, sum.shape.slice(0, -1) as number[]) : sum;
}

function axisOf(x: Value, attributes: Attributes, otherwise: number): number {
  return normaliseAxis((attributes.axis as number | undefined) ?? otherwise, x.shape.length, "Softmax");
}

function reducedAxes(inputs: readonly (Value | null)[], attributes: Attributes): number[] {
  const rank = inputs[0]!.shape.length;
  const given = inputs[1]?.constant;
  const axes = given ? numbers(given) : [];
  if (axes.length > 0) return axes.map((axis) => (axis < 0 ? axis + rank : axis));
  return attributes.noop_with_empty_axes === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

function total(b: Builder, inputs: readonly (Value | null)[], attributes: Attributes, x: Value): Value {
  const axes = reducedAxes(inputs, attributes);
  return axes.length === 0 ? x : reduceSum(b, x, axes, attributes.keepdims !== 0);
}

/** A reduction over axes of size 1 only changes the shape; other axes are reduced without those. */
function withoutOnes(
  b: Builder,
  inputs: readonly (Value | null)[],
  attributes: Attributes,
): readonly Value[] | null {
  const x = inputs[0]!;
  const axes = reducedAxes(inputs, attributes);
  if (axes.some((axis) => x.shape[axis] !== 1)) return null;
  const shape = x.shape.filter((_, axis) => attributes.keepdims !== 0 || !axes.includes(axis));
  return [reshape(b, x, shape as number[])];
}

/** Operators whose formulas lose digits in float32: computed in float64 and rounded once. */
function inFloat64(b: Builder, op: Op, inputs: readonly (Value | null)[], attributes: Attributes): Value[] {
  const wide = inputs.map((value) => (value?.dtype === "float32" ? cast(b, value, "float64") : value));
  return op.decompose!(b, wide, attributes).map((value) =>
    value.dtype === "float64" ? cast(b, value, "float32") : value,
  );
}

const inexact: ReadonlySet<string> = new Set([
  ...["Tan", "Asin", "Acos", "Asinh", "Acosh", "Atanh", "Softplus", "Gelu", "Mish"],
]);

/** What is a constant as soon as shapes are known. */
const settled: ReadonlySet<string> = new Set(["Shape", "Size", "Constant", "Range", "EyeLike"]);

/** Brings a graph to the operators that code can be written for. */
export const lower: Rewrite = (b, node, inputs) => {
  const { op, attributes } = node;
  const rule = rules[op.type];
  if (rule !== undefined) return rule(b, inputs, attributes);
  if (hasEmitter(op.type) || op.decompose === undefined) return null;
  return inputs[0]?.dtype === "float32" && inexact.has(op.type)
    ? inFloat64(b, op, inputs, attributes)
    : op.decompose(b, inputs, attributes);
};

/** Whether an operator can be compiled, perhaps by way of others. */
export function isKnown(op: Op): boolean {
  return op.type in rules || hasEmitter(op.type) || op.decompose !== undefined || settled.has(op.type);
}
