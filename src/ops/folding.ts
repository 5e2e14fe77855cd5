import { type DType, isBigInt, type Tensor } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import { GraphError, type Op } from "../graph/graph.js";

// Arithmetic on the host, as constants are folded: the same numbers as a runtime would compute.

/** Folds an operator by folding the operators that it is made of: each intermediate is rounded to its element type. */
function foldByFormula(decompose: NonNullable<Op["decompose"]>): NonNullable<Op["fold"]> {
  return (operands, attributes) => {
    const b = new Builder();
    const inputs = operands.map((value) => value && b.constant(value));
    const results = decompose(b, inputs, attributes).map(({ constant }) => constant);
    // what it needs in between may be too large to be computed here
    return results.includes(null) ? null : (results as Tensor[]);
  };
}

/** The lowering of an operator, and the folding that follows from it. */
export function composedOf(
  decompose: NonNullable<Op["decompose"]>,
): Required<Pick<Op, "decompose" | "fold">> {
  return { decompose, fold: foldByFormula(decompose) };
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
