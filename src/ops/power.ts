import { castTensor, type DType, DTypeError, isFloat, numbers, type Tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { broadcastShapes, GraphError, type Op, showType, type Value } from "../graph/graph.js";
import { type ElementTypes, flag, numeric, separate, takes } from "../graph/signature.js";
import { add, div, isScalar, mul, neg, sub } from "./arithmetic.js";
import { sumTo } from "./broadcast.js";
import { log, round, sqrt } from "./elementwise.js";
import { foldBinary, integerPower } from "./folding.js";
import { withoutMinusOne } from "./integer-division.js";
import { equal, where } from "./logic.js";
import { intOf, type Operand, operands, required } from "./operand.js";
import { cast } from "./reshape.js";

/** What has powers. */
const bases: ElementTypes = {
  of: ["float32", "float64", "int32", "int64"],
  words: "of floats, int32 or int64",
};

/**
 * Pow: z = xʸ, of x's element type; the exponent may have another. Integers wrap around; their powers of negative
 * exponents are those of 1 / x, cut off.
 *
 *   x̄ = z̄ y xʸ⁻¹, which is 0 where y = 0;  ȳ = z̄ z log x, which is 0 where x = 0
 *
 * Below 0 there is no derivative with respect to the exponent: ȳ is NaN there.
 */
export const Pow: Op = {
  type: "Pow",
  inputs: [takes("X", bases), takes("Y", separate(numeric))],
  infer(inputs) {
    const [x, y] = [required("Pow", inputs, 0), required("Pow", inputs, 1)];
    return [{ dtype: x.dtype, shape: broadcastShapes("Pow", x.shape, y.shape) }];
  },
  fold([x, y]) {
    const dtype = powerType(x!.dtype, y!.dtype);
    const [base, exponent] = [castTensor(x!, dtype), castTensor(y!, dtype)];
    return [castTensor(foldBinary(base, exponent, dtype, power, integerPower), x!.dtype)];
  },
  /** Operands of two types as those of one; x¹ = x and x² = x x */
  simplify(b, [x, y]) {
    if (isScalar(y!, 1)) return [x!];
    if (isScalar(y!, 2)) return [mul(b, x!, x!)];
    if (x!.dtype === y!.dtype) return null;
    const dtype = isExactIn(y!.constant, x!.dtype) ? x!.dtype : powerType(x!.dtype, y!.dtype);
    return [cast(b, pow(b, cast(b, x!, dtype), cast(b, y!, dtype)), x!.dtype)];
  },
  vjp(b, { inputs: [x, y], outputs: [z] }, [cotangent]) {
    const [g, base, exponent] = [cotangent!, x!, y!];
    const lower = pow(b, base, sub(b, where(b, equal(b, exponent, 0), 1, exponent), 1));
    const dx = sumTo(b, mul(b, g, mul(b, exponent, lower)), base);
    if (exponent.constant !== null) return [dx, null];
    const safe = where(b, equal(b, base, 0), 1, base);
    return [dx, sumTo(b, mul(b, g, mul(b, z!, log(b, safe))), exponent)];
  },
};

/** The element type in which a power of operands of two types is computed: it holds both, or what counts of them. */
function powerType(x: DType, y: DType): DType {
  if (x === y) return x;
  if (isFloat(x) || isFloat(y)) return "float64";
  return y === "uint64" ? "uint64" : "int64";
}

/** Whether an exponent is a constant that a float type has, too. */
function isExactIn(y: Tensor | null, dtype: DType): boolean {
  if (y === null || !isFloat(dtype)) return false;
  const there = castTensor(castTensor(y, dtype), y.dtype);
  return y.data.every((value: number | bigint, i: number) => Object.is(value, there.data[i]));
}

/** As in C, 1 to any power is 1, NaN and infinity included. */
function power(x: number, y: number): number {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;
}

/** x to the power of y; a number is of the other's element type. */
export function pow(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Pow, operands(b, x, y));
}

/**
 * A float power by a constant of one element as a few multiplications or a root, where it is that:  x³, 1 / x, √x, x √x
 *
 * @returns `null` where it is another
 */
export function shortPower(b: Builder, x: Value, y: Value): Value | null {
  if (y.constant === null || y.constant.data.length !== 1 || y.shape.length > x.shape.length) return null;
  const [exponent] = numbers(y.constant);
  if (exponent === 2) return mul(b, x, x);
  if (exponent === 3) return mul(b, mul(b, x, x), x);
  if (exponent === -1) return div(b, 1, x);
  if (exponent !== 0.5 && exponent !== 1.5) return null;
  // a root is not: of −∞, infinite, and of −0, 0
  const root = sqrt(b, x);
  const power = exponent === 0.5 ? add(b, root, 0) : mul(b, x, root);
  return where(b, equal(b, x, -Infinity), Infinity, power);
}

/**
 * Mod: the remainder with the sign of the divisor (integers), or with `fmod` that of the dividend.
 *
 *   x̄ = z̄;  ȳ = −z̄ n,  where z = x − n y
 */
export const Mod: Op = {
  type: "Mod",
  since: 10,
  inputs: [takes("A", numeric), takes("B", numeric)],
  attributes: { fmod: flag(0) },
  infer(inputs, attributes) {
    const [x, y] = [required("Mod", inputs, 0), required("Mod", inputs, 1)];
    if (isFloat(x.dtype) && intOf(attributes, "fmod", 0) !== 1) {
      throw new DTypeError(`Mod of floats needs the attribute fmod = 1, but got ${showType(x)} without it.`);
    }
    return [{ dtype: x.dtype, shape: broadcastShapes("Mod", x.shape, y.shape) }];
  },
  fold([x, y], attributes) {
    const truncated = intOf(attributes, "fmod", 0) === 1;
    const exact = (p: bigint, q: bigint) => {
      if (q === 0n) throw new GraphError("Mod: a constant integer is divided by zero.");
      return truncated ? p % q : ((p % q) + q) % q;
    };
    return [foldBinary(x!, y!, x!.dtype, (p, q) => p % q, exact)];
  },
  /** for integers: the remainder of a division by −1 is 0, as it is by 1 */
  decompose: (b, [x, y], attributes) => [b.apply(Mod, [x!, withoutMinusOne(b, y!).divisor], attributes)],
  vjp(b, { inputs: [x, y], outputs: [z] }, [cotangent]) {
    const g = cotangent!;
    const count = round(b, div(b, sub(b, x!, z!), y!));
    return [sumTo(b, g, x!), sumTo(b, neg(b, mul(b, g, count)), y!)];
  },
};

/** The remainder of x / y with the sign of x. */
export function fmod(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Mod, operands(b, x, y), { fmod: 1 });
}
