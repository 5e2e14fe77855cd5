import type { Push } from "../wasm/index.js";
import { type Double, fastSum, plus, product, times } from "./doubles.js";
import { expOf } from "./exponential.js";
import { powerByTable } from "./power-by-table.js";
import type { Vectors } from "./vectors.js";

// x^y = exp(y log x), with log x and the product in pairs of float64, high and low: an error of log x is multiplied by
// up to 745.

/** (2 atanh s − 2 s − 2/3 s³) / s⁵ in z = s², to 2e−18 */
const atanhTail = [
  0.4, 0.2857142857142938, 0.2222222222164818, 0.181818183370346, 0.1538459479629481, 0.13334813317048047,
  0.11706014884419476, 0.11725409493632094,
];
const twoThirds = { high: 0.6666666666666666, low: 3.700743415417188e-17 };
const ln2 = { high: 0.6931471806019545, low: -4.2009150726810846e-11 };
const rootHalf = 0x3fe6a09e667f3bcdn;
const one = 0x3ffn << 52n;

/** log x of a positive finite number, to some 2^−65 */
function logarithm(p: Vectors, given: Push): Double {
  const isTiny = p.let(p.apply("f64x2.lt", given, p.number(2 ** -1022)));
  const x = p.let(p.select(isTiny, p.mul(given, p.number(2 ** 54)), given));
  const exponent = p.let(p.shiftRight(p.apply("i64x2.sub", x, p.bits(rootHalf - one)), 52));
  const scale = p.shiftLeft(p.apply("i64x2.sub", exponent, p.bits(1023n)), 52);
  const f = p.let(p.sub(p.apply("i64x2.sub", x, scale), p.number(1)));
  const count = p.sub(p.apply("v128.or", exponent, p.bits(0x4330000000000000n)), p.number(2 ** 52));
  const k = p.let(p.sub(count, p.select(isTiny, p.number(1023 + 54), p.number(1023))));

  // s = f / (2 + f) with its remainder
  const bottom = p.let(p.add(p.number(2), f));
  const rest = p.let(p.sub(f, p.sub(bottom, p.number(2))));
  const quotient = p.let(p.div(f, bottom));
  const back = product(p, quotient, bottom);
  const remainder = p.sub(p.sub(p.sub(f, back.high), back.low), p.mul(quotient, rest));
  const s: Double = fastSum(p, quotient, p.let(p.div(remainder, bottom)));

  const z = times(p, s, s);
  const cube = times(p, z, s);
  const third = times(p, cube, { high: p.number(twoThirds.high), low: p.number(twoThirds.low) });
  const tail = p.let(p.mul(p.mul(cube.high, z.high), p.polynomial(atanhTail, z.high)));
  const twice: Double = { high: p.let(p.add(s.high, s.high)), low: p.let(p.add(s.low, s.low)) };
  const log = plus(p, twice, plus(p, third, { high: tail, low: p.number(0) }));
  const whole = fastSum(p, p.let(p.mul(k, p.number(ln2.high))), p.let(p.mul(k, p.number(ln2.low))));
  const isOne = p.let(p.apply("f64x2.eq", k, p.number(0)));
  const sum = plus(p, whole, log);
  return {
    high: p.let(p.select(isOne, log.high, sum.high)),
    low: p.let(p.select(isOne, log.low, sum.low)),
  };
}

/** x^y, as C and IEEE 754 define it at the edges. Where all lanes allow it, by the shorter way. */
export function pow(p: Vectors, x: Push, y: Push): Push {
  const { code } = p;
  const { value, holds } = powerByTable(p, x, y);
  holds();
  code.vector("i64x2.bitmask").i32(0b11).op("i32.eq");
  const result = code.local("v128");
  const keep = (power: Push) => () => {
    power();
    code.set(result);
  };
  code.if(keep(value), () => keep(anyPower(p, x, y))());
  return p.own(result);
}

/** x^y for any x and y. */
function anyPower(p: Vectors, x: Push, y: Push): Push {
  const size = p.let(p.abs(x));
  const isZero = p.let(p.apply("f64x2.eq", size, p.number(0)));
  const isInfinite = p.let(p.apply("f64x2.eq", size, p.number(Infinity)));
  const isEdge = p.let(p.apply("v128.or", isZero, isInfinite));
  const log = logarithm(p, p.let(p.select(isEdge, p.number(1), size)));
  // beyond these all powers but those of 1 over- or underflow
  const limit = 2 ** 70;
  const lower = p.apply("f64x2.pmax", y, p.number(-limit));
  const exponent = p.let(p.apply("f64x2.pmin", p.let(lower), p.number(limit)));
  const { high, low } = product(p, exponent, log.high);
  // far beyond the range of exp the low part is no longer small, and does not matter
  const isNear = p.float("lt", p.abs(high), p.number(800));
  const tail = p.let(p.apply("v128.and", isNear, p.add(low, p.mul(exponent, log.low))));
  const power = p.let(expOf(p, high, tail));

  const isInteger = p.let(p.apply("f64x2.eq", p.apply("f64x2.nearest", y), y));
  const half = p.let(p.mul(y, p.number(0.5)));
  const isOdd = p.let(
    p.apply("v128.and", isInteger, p.apply("f64x2.ne", p.apply("f64x2.nearest", half), half)),
  );
  const isNegative = p.let(p.apply("f64x2.lt", y, p.number(0)));
  // 0 and infinity, by the sign of the exponent
  const toZero = p.select(isNegative, p.number(Infinity), p.number(0));
  const toInfinity = p.select(isNegative, p.number(0), p.number(Infinity));
  const edge = p.select(isZero, toZero, toInfinity);
  const magnitude = p.let(p.select(isEdge, edge, power));
  const sign = p.apply("v128.and", p.apply("v128.and", x, p.bits(1n << 63n)), isOdd);
  const signed = p.let(p.apply("v128.or", magnitude, sign));
  const isRoot = p.apply(
    "v128.andnot",
    p.apply("v128.andnot", p.apply("f64x2.lt", x, p.number(0)), isInteger),
    isEdge,
  );
  const proper = p.let(p.select(isRoot, p.number(Number.NaN), signed));
  const isUndefined = p.apply("v128.or", p.apply("f64x2.ne", x, x), p.apply("f64x2.ne", y, y));
  const known = p.let(p.select(isUndefined, p.number(Number.NaN), proper));
  const isUnit = p.apply("v128.or", p.apply("f64x2.eq", x, p.number(1)), p.apply("f64x2.eq", y, p.number(0)));
  return p.select(isUnit, p.number(1), known);
}
