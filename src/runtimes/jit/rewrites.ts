import { isFloat } from "../../core/tensor.js";
import type { Builder } from "../../graph/builder.js";
import type { Attributes, Op, Value } from "../../graph/graph.js";
import type { Rewrite } from "../../graph/passes.js";
import { anything, takes } from "../../graph/signature.js";
import { add, mul } from "../../ops/arithmetic.js";
import { reductionAxes } from "../../ops/broadcast.js";
import { gemm, matmul, scaledSum } from "../../ops/linalg.js";
import { shortPower } from "../../ops/power.js";
import { cast, reshape, transpose } from "../../ops/reshape.js";
import { hasEmitter } from "./scope.js";

type Rule = (
  b: Builder,
  inputs: readonly (Value | null)[],
  attributes: Attributes,
) => readonly Value[] | null;

/** The operand with its elements in a row. Emitted where the operand is, so weights are packed once per run. */
export const Packed: Op = { type: "Packed", inputs: [takes("x", anything)], infer: ([x]) => [x!] };

/** Operands as the kernels of an operator take them. `null` keeps a node as it is. */
const arrangements: Readonly<Record<string, Rule>> = {
  /** α A' B' + β C, with B' in rows; outer products are broadcasts */
  Gemm(b, [a, w, c], attributes) {
    const { alpha = 1, beta = 1, transA = 0, transB = 0 } = attributes as Record<string, number>;
    if (alpha !== 1 || beta !== 1) {
      return [scaledSum(b, gemm(b, a!, w!, null, { transA, transB }), c, attributes)];
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
  ReduceSum: (b, inputs, attributes) => withoutOnes(b, inputs, attributes),
  ReduceMax: (b, inputs, attributes) => withoutOnes(b, inputs, attributes),
  ReduceMin: (b, inputs, attributes) => withoutOnes(b, inputs, attributes),
  ReduceProd: (b, inputs, attributes) => withoutOnes(b, inputs, attributes),
  /** powers by constants that are a few multiplications */
  Pow(b, [x, y]) {
    const short = isFloat(x!.dtype) ? shortPower(b, x!, y!) : null;
    return short && [short];
  },
};

/** A reduction over axes of size 1 only changes the shape; other axes are reduced without those. */
function withoutOnes(
  b: Builder,
  inputs: readonly (Value | null)[],
  attributes: Attributes,
): readonly Value[] | null {
  const x = inputs[0]!;
  const axes = reductionAxes("Reduce", inputs, attributes);
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

/** Whether there is code for an operator on operands of their types. */
function hasKernel({ type }: Op, inputs: readonly (Value | null)[]): boolean {
  if (type === "MatMul" || type === "Gemm") return isFloat(inputs[0]!.dtype);
  return hasEmitter(type);
}

/** Brings a graph to the operators that code can be written for. */
export const lower: Rewrite = (b, { op, attributes }, inputs) => {
  if (hasKernel(op, inputs)) return arrangements[op.type]?.(b, inputs, attributes) ?? null;
  if (op.decompose === undefined) return null;
  return inputs[0]?.dtype === "float32" && inexact.has(op.type)
    ? inFloat64(b, op, inputs, attributes)
    : op.decompose(b, inputs, attributes);
};

/** Whether an operator can be compiled, perhaps by way of others. */
export function isKnown(op: Op): boolean {
  return hasEmitter(op.type) || op.decompose !== undefined || settled.has(op.type);
}
