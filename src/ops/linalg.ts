import {
  type DType,
  emptyData,
  isFloat,
  ShapeError,
  showShape,
  sizeOf,
  type Tensor,
  type TensorData,
} from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Attributes,
  broadcastShapes,
  type Dim,
  type Op,
  type Shape,
  showType,
  type Value,
} from "../graph/graph.js";
import { flag, float, mayTake, takes, wide } from "../graph/signature.js";
import { add, mul, neg } from "./arithmetic.js";
import { reduceSum, sumTo } from "./broadcast.js";
import { broadcastIndex, composedOf, pairwiseSum, wrapped } from "./folding.js";
import { floatOf, required } from "./operand.js";
import { reshape, squeeze, transpose, unsqueeze } from "./reshape.js";

/** Σ xᵢ yᵢ of numbers from one place on, and of every `step`-th from another */
function floatDot(x: Tensor, from: number, y: Tensor, start: number, step: number, count: number): number {
  const [p, q] = [x.data as Float64Array, y.data as Float64Array];
  return pairwiseSum(Float64Array.from({ length: count }, (_, k) => p[from + k]! * q[start + k * step]!));
}

/** The same of integers, which wrap around. */
function integerDot(x: Tensor, from: number, y: Tensor, start: number, step: number, count: number) {
  let sum = 0n;
  for (let k = 0; k < count; k++) sum += BigInt(x.data[from + k]!) * BigInt(y.data[start + k * step]!);
  return wrapped(sum, x.dtype);
}

/** Swaps the last two axes. */
export function swapLast(b: Builder, x: Value): Value {
  const rank = x.shape.length;
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return transpose(b, x, [...axes.slice(0, rank - 2), rank - 1, rank - 2]);
}

/**
 * MatMul, with NumPy's rules: leading axes broadcast, a vector counts as a row on the left and a column on the right.
 *
 * Z = X Y:  X̄ = Z̄ Yᵀ, Ȳ = Xᵀ Z̄
 */
export const MatMul: Op = {
  type: "MatMul",
  inputs: [takes("A", wide), takes("B", wide)],
  infer(inputs) {
    const x = required("MatMul", inputs, 0);
    const y = required("MatMul", inputs, 1);
    if (x.shape.length === 0 || y.shape.length === 0) {
      throw new ShapeError(
        `MatMul needs operands with axes, but got ${showType(x)} and ${showType(y)}. Use Mul.`,
      );
    }
    const left = x.shape.length === 1 ? [1, x.shape[0]!] : x.shape;
    const right = y.shape.length === 1 ? [y.shape[0]!, 1] : y.shape;
    if (left.at(-1) !== right.at(-2)) {
      throw new ShapeError(
        `MatMul: the inner dimensions of ${showType(x)} and ${showType(y)} differ: ${left.at(-1)} and ${right.at(-2)}.`,
      );
    }
    const shape: Dim[] = broadcastShapes("MatMul", left.slice(0, -2), right.slice(0, -2));
    if (x.shape.length > 1) shape.push(left.at(-2)!);
    if (y.shape.length > 1) shape.push(right.at(-1)!);
    return [{ dtype: x.dtype, shape }];
  },
  products([x, y]) {
    // each matrix of x with each of y at most
    const matrices = sizeOf(y!.shape.slice(0, -2) as number[]);
    const columns = y!.shape.length > 1 ? (y!.shape.at(-1) as number) : 1;
    return sizeOf(x!.shape as number[]) * matrices * columns;
  },
  fold([x, y]) {
    const left = x!.shape.length === 1 ? [1, x!.shape[0]!] : x!.shape;
    const right = y!.shape.length === 1 ? [y!.shape[0]!, 1] : y!.shape;
    const [rows, inner, columns] = [left.at(-2)!, left.at(-1)!, right.at(-1)!];
    const batch = broadcastShapes("MatMul", left.slice(0, -2), right.slice(0, -2)) as number[];
    const ix = broadcastIndex(left.slice(0, -2), batch);
    const iy = broadcastIndex(right.slice(0, -2), batch);
    const data = emptyData(x!.dtype, ix.length * rows * columns) as TensorData;
    const dot = isFloat(x!.dtype) ? floatDot : integerDot;
    for (let n = 0; n < ix.length; n++) {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const row = (ix[n]! * rows + i) * inner;
          const column = iy[n]! * inner * columns + j;
          data[(n * rows + i) * columns + j] = dot(x!, row, y!, column, columns, inner);
        }
      }
    }
    const shape = [
      ...batch,
      ...(x!.shape.length > 1 ? [rows] : []),
      ...(y!.shape.length > 1 ? [columns] : []),
    ];
    return [{ dtype: x!.dtype, shape, data } as Tensor];
  },
  /** for integers */
  decompose: (b, [x, y]) => [productByElements(b, x!, y!)],
  vjp(b, { inputs: [x, y], outputs: [z] }, [cotangent]) {
    // as matrices: vectors get the axis that MatMul imagined
    const left = x!.shape.length === 1 ? unsqueeze(b, x!, [0]) : x!;
    const right = y!.shape.length === 1 ? unsqueeze(b, y!, [1]) : y!;
    const rank = z!.shape.length + (x!.shape.length === 1 ? 1 : 0) + (y!.shape.length === 1 ? 1 : 0);
    let g = cotangent!;
    if (y!.shape.length === 1) g = unsqueeze(b, g, [-1]);
    if (x!.shape.length === 1) g = unsqueeze(b, g, [rank - 2]);
    const dx = sumTo(b, matmul(b, g, swapLast(b, right)), left);
    const dy = matmulToShape(b, left, g, right);
    return [
      x!.shape.length === 1 ? squeeze(b, dx, [0]) : dx,
      y!.shape.length === 1 ? squeeze(b, dy, [1]) : dy,
    ];
  },
};

/**
 * Xᵀ Z̄ summed to the shape of y; one product of flattened matrices where y is a plain matrix and all shapes are known.
 */
function matmulToShape(b: Builder, x: Value, g: Value, y: Value): Value {
  const known = [...x.shape, ...g.shape].every((dim) => typeof dim === "number");
  if (known && y.shape.length === 2 && x.shape.length > 2 && x.shape.length === g.shape.length) {
    const flat = (value: Value) => reshape(b, value, [-1, value.shape.at(-1) as number]);
    return matmul(b, transpose(b, flat(x), [1, 0]), flat(g));
  }
  return sumTo(b, matmul(b, swapLast(b, x), g), y);
}

/** The product of matrices as a sum of elementwise products, which are all of them in memory:  Σₖ xᵢₖ yₖⱼ */
function productByElements(b: Builder, x: Value, y: Value): Value {
  const left = unsqueeze(b, x, [-1]);
  const right = y.shape.length === 1 ? unsqueeze(b, y, [-1]) : unsqueeze(b, y, [-3]);
  const sum = reduceSum(b, mul(b, left, right), [-2]);
  return y.shape.length === 1 ? squeeze(b, sum, [-1]) : sum;
}

export function matmul(b: Builder, x: Value, y: Value): Value {
  return b.apply(MatMul, [x, y]);
}

/**
 * Gemm: Y = α A' B' + β C, where A' and B' may be transposed and C broadcasts.
 *
 * Ā' = α Ȳ B'ᵀ, B̄' = α A'ᵀ Ȳ, C̄ = β Ȳ summed to C's shape. Transposition costs nothing here: each cotangent is one
 * more Gemm with its flags set accordingly.
 */
export const Gemm: Op = {
  type: "Gemm",
  inputs: [takes("A", wide), takes("B", wide), mayTake("C", wide)],
  attributes: { alpha: float(1), beta: float(1), transA: flag(0), transB: flag(0) },
  infer(inputs, attributes) {
    const a = required("Gemm", inputs, 0);
    const w = required("Gemm", inputs, 1);
    if (a.shape.length !== 2 || w.shape.length !== 2) {
      throw new ShapeError(`Gemm needs matrices, but got ${showType(a)} and ${showType(w)}. Use MatMul.`);
    }
    const [rows, inner] = attributes.transA === 1 ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
    const [right, columns] =
      attributes.transB === 1 ? [w.shape[1]!, w.shape[0]!] : [w.shape[0]!, w.shape[1]!];
    if (inner !== right) {
      throw new ShapeError(
        `Gemm: the inner dimensions of ${showType(a)} and ${showType(w)} differ: ${inner} and ${right}.`,
      );
    }
    const shape: Shape = [rows, columns];
    const c = inputs[2];
    if (c && !broadcastsTo(c.shape, shape)) {
      throw new ShapeError(
        `Gemm: C, ${showType(c)}, does not broadcast to the product, ${showShape(shape)}.`,
      );
    }
    return [{ dtype: a.dtype, shape }];
  },
  products: ([a, w], { transB }) => sizeOf(a!.shape as number[]) * (w!.shape[transB === 1 ? 0 : 1] as number),
  ...composedOf((b, [a, w, c], attributes) => {
    const left = attributes.transA === 1 ? transpose(b, a!, [1, 0]) : a!;
    const right = attributes.transB === 1 ? transpose(b, w!, [1, 0]) : w!;
    return [scaledSum(b, matmul(b, left, right), c, attributes)];
  }),
  vjp(b, { inputs: [a, w, c], attributes }, [cotangent]) {
    const g = cotangent!;
    const alpha = (attributes.alpha as number | undefined) ?? 1;
    const beta = (attributes.beta as number | undefined) ?? 1;
    const ta = attributes.transA === 1 ? 1 : 0;
    const tb = attributes.transB === 1 ? 1 : 0;
    const product = (x: Value, transA: number, y: Value, transB: number) =>
      gemm(b, x, y, null, { alpha, transA, transB });
    const da = ta === 0 ? product(g, 0, w!, 1 - tb) : product(w!, tb, g, 1);
    const dw = tb === 0 ? product(a!, 1 - ta, g, 0) : product(g, 1, a!, ta);
    return [da, dw, c ? sumTo(b, beta === 1 ? g : mul(b, g, beta), c) : null];
  },
};

/** α P + β C of a product P, where C may be absent. */
export function scaledSum(
  b: Builder,
  product: Value,
  c: Value | null | undefined,
  attributes: Attributes,
): Value {
  const [alpha, beta] = [floatOf(attributes, "alpha", 1), floatOf(attributes, "beta", 1)];
  const scaled = alpha === 1 ? product : mul(b, product, alpha);
  return c ? add(b, scaled, beta === 1 ? c : mul(b, c, beta)) : scaled;
}

function broadcastsTo(from: Shape, to: Shape): boolean {
  const offset = to.length - from.length;
  return offset >= 0 && from.every((dim, axis) => dim === 1 || dim === to[axis + offset]);
}

export interface GemmOptions {
  readonly alpha?: number;
  readonly beta?: number;
  readonly transA?: number;
  readonly transB?: number;
}

export function gemm(
  b: Builder,
  x: Value,
  y: Value,
  c: Value | null = null,
  options: GemmOptions = {},
): Value {
  const attributes = Object.fromEntries(
    Object.entries({ alpha: 1, beta: 1, transA: 0, transB: 0, ...options }).filter(
      ([name, value]) => value !== (name === "alpha" || name === "beta" ? 1 : 0),
    ),
  );
  return b.apply(Gemm, [x, y, c], attributes);
}

/** Zeros of a shape. */
export function zeros(b: Builder, dtype: DType, shape: readonly number[]): Value {
  return b.constant({
    dtype,
    shape,
    data: emptyData(
      dtype,
      shape.reduce((p, d) => p * d, 1),
    ),
  } as Tensor);
}

/** −x where x may be zero (`null`). */
export function negated(b: Builder, x: Value | null): Value | null {
  return x === null ? null : neg(b, x);
}
