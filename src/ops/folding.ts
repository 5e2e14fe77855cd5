import { type DType, emptyData, isBigInt, isFloat, type Tensor, type TensorData } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import { broadcastShapes, GraphError, type Op } from "../graph/graph.js";

// Arithmetic on the host, as constants are folded: the same numbers as a runtime would compute.

/**
 * Folds an operator by folding the operators that it is made of: each intermediate is rounded to its element type. Where one
 * of them is too much to fold, so is the whole.
 */
function foldByFormula(decompose: NonNullable<Op["decompose"]>): NonNullable<Op["fold"]> {
  return (operands, attributes) => {
    const b = new Builder();
    const inputs = operands.map((value) => value && b.constant(value));
    const results = decompose(b, inputs, attributes).map(({ constant }) => constant);
    return results.every((result) => result !== null) ? results : null;
  };
}

/** The lowering of an operator, and the folding that follows from it. */
export function composedOf(
  decompose: NonNullable<Op["decompose"]>,
): Required<Pick<Op, "decompose" | "fold">> {
  return { decompose, fold: foldByFormula(decompose) };
}

/** Reads a tensor as if it were broadcast to a shape: the flat index in `t` of each flat index in `shape`. */
export function broadcastIndex(from: readonly number[], to: readonly number[]): Int32Array {
  const size = to.reduce((product, dim) => product * dim, 1);
  const index = new Int32Array(size);
  const offset = to.length - from.length;
  let inner = 1;
  let stride = 1;
  for (let axis = to.length - 1; axis >= 0; axis--) {
    const dim = to[axis]!;
    const own = axis < offset ? 1 : from[axis - offset]!;
    if (own !== 1) for (let i = 0; i < size; i++) index[i]! += (Math.floor(i / inner) % dim) * stride;
    inner *= dim;
    stride *= own;
  }
  return index;
}

/**
 * Evaluates an elementwise function of two tensors on the host, with broadcasting. Integers go through `exact`, so
 * that they wrap around as machine integers do.
 */
export function foldBinary<D extends DType>(
  x: Tensor,
  y: Tensor,
  dtype: D,
  f: (x: number, y: number) => number | boolean,
  exact?: (x: bigint, y: bigint) => bigint | boolean,
): Tensor<D> {
  const shape = broadcastShapes("fold", x.shape, y.shape) as number[];
  const ix = broadcastIndex(x.shape, shape);
  const iy = broadcastIndex(y.shape, shape);
  const data = emptyData(dtype, ix.length) as TensorData;
  const integers = exact !== undefined && !isFloat(x.dtype) && x.dtype !== "bool";
  for (let i = 0; i < ix.length; i++) {
    const a = x.data[ix[i]!]!;
    const c = y.data[iy[i]!]!;
    const result = integers ? exact(BigInt(a), BigInt(c)) : f(Number(a), Number(c));
    data[i] =
      typeof result === "bigint" ? wrapped(result, dtype) : isBigInt(dtype) ? BigInt(result) : Number(result);
  }
  return { dtype, shape, data: data as Tensor<D>["data"] };
}

/** An integer wrapped around to the range of its element type, as two's complement has it; for bool, whether it is not 0. */
export function wrapped(value: bigint, dtype: DType): number | bigint {
  if (dtype === "bool") return value === 0n ? 0 : 1;
  // a typed array wraps numbers of 32 bits around by itself
  return isBigInt(dtype) ? value : Number(BigInt.asIntN(32, value));
}

/**
 * The sum of numbers, by halves: its relative error grows with the logarithm of their number, not with the number.
 *
 * @see Higham, Accuracy and Stability of Numerical Algorithms, 4.2
 */
export function pairwiseSum(values: ArrayLike<number>): number {
  const between = (from: number, to: number): number => {
    if (to - from > 128) {
      const middle = (from + to) >> 1;
      return between(from, middle) + between(middle, to);
    }
    let sum = 0;
    for (let i = from; i < to; i++) sum += values[i]!;
    return sum;
  };
  return between(0, values.length);
}

/** An integer power modulo 2⁶⁴; one of a negative exponent is that of 1 / x, cut off: 1, −1 or 0. */
export function integerPower(x: bigint, y: bigint): bigint {
  if (y < 0n && x === 0n) throw new GraphError("Pow: the constant integer 0 is raised to a negative power.");
  let base = y < 0n ? 1n / x : x;
  let power = 1n;
  for (let rest = y < 0n ? -y : y; rest > 0n; rest >>= 1n) {
    if (rest & 1n) power = BigInt.asIntN(64, power * base);
    base = BigInt.asIntN(64, base * base);
  }
  return power;
}
