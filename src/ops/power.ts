import { DTypeError, isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { broadcastShapes, GraphError, type Op, showType, type Value } from "../graph/graph.js";
import { type ElementTypes, flag, numeric, separate, takes } from "../graph/signature.js";
import { div, foldBinary, isScalar, mul, neg, sub } from "./arithmetic.js";
import { sumTo } from "./broadcast.js";
import { log, round } from "./elementwise.js";
import { equal, where } from "./logic.js";
import { intOf, type Operand, operands, required } from "./operand.js";
import { cast } from "./reshape.js";

/** What has powers. */
const bases: ElementTypes = {
  of: ["float32", "float64", "int32", "int64"],
  words: "of floats, int32 or int64",
};

/**
 * Pow: z = xʸ, of x's element type; the exponent may have another.
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
  fold: ([x, y]) => [foldBinary(x!, y!, x!.dtype, power, isFloat(y!.dtype) ? undefined : integerPower)],
  /** x¹ = x and x² = x x */
  simplify(b, [x, y]) {
    if (isScalar(y!, 1)) return [x!];
    return isScalar(y!, 2) ? [mul(b, x!, x!)] : null;
  },
  vjp(b, { inputs: [x, y], outputs: [z] }, [cotangent]) {
    const [g, base] = [cotangent!, x!];
    const exponent = cast(b, y!, base.dtype);
    const lower = pow(b, base, sub(b, where(b, equal(b, exponent, 0), 1, exponent), 1));
    const dx = sumTo(b, mul(b, g, mul(b, exponent, lower)), base);
    if (y!.constant !== null || !isFloat(y!.dtype)) return [dx, null];
    const safe = where(b, equal(b, base, 0), 1, base);
    const dy = sumTo(b, mul(b, g, mul(b, z!, log(b, safe))), y!);
    return [dx, cast(b, dy, y!.dtype)];
  },
};

/** As in C, 1 to any power is 1, NaN and infinity included. */
function power(x: number, y: number): number {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;
}

function integerPower(x: bigint, y: bigint): bigint {
  if (y < 0n)
    throw new GraphError("Pow: a constant integer is raised to a negative integer. Cast it to float.");
  return x ** y;
}

/** x to the power of y; a number is of the other's element type. */
export function pow(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Pow, operands(b, x, y));
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
