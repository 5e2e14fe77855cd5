import type { Push } from "../wasm/index.js";
import { expOf } from "./exponential.js";
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

/** An unevaluated sum, |low| ≤ half a unit in the last place of high. */
interface Double {
  readonly high: Push;
  readonly low: Push;
}

/** a + b exactly, for |a| ≥ |b| */
function fastSum(p: Vectors, a: Push, b: Push): Double {
  const high = p.let(p.add(a, b));
  return { high, low: p.let(p.sub(b, p.sub(high, a))) };
}

/** a b exactly, by halves of 26 bits (Dekker 1971) */
function product(p: Vectors, a: Push, b: Push): Double {
  const split = (x: Push) => {
    const c = p.let(p.mul(x, p.number(2 ** 27 + 1)));
    const top = p.let(p.sub(c, p.sub(c, x)));
    return { top, rest: p.let(p.sub(x, top)) };
  };
  const high = p.let(p.mul(a, b));
  const [x, y] = [split(a), split(b)];
  const cross = p.add(p.sub(p.mul(x.top, y.top), high), p.mul(x.top, y.rest));
  const low = p.let(p.add(p.add(cross, p.mul(x.rest, y.top)), p.mul(x.rest, y.rest)));
  return { high, low };
}

/** a b, to some 2^−104 */
export function times(p: Vectors, a: Double, b: Double): Double {
  const { high, low } = product(p, a.high, b.high);
  return fastSum(p, high, p.let(p.add(low, p.add(p.mul(a.high, b.low), p.mul(a.low, b.high)))));
}

function plus(p: Vectors, a: Double, b: Double): Double {
  const { high, low } = fastSum(p, a.high, b.high);
  return fastSum(p, high, p.let(p.add(low, p.add(a.low, b.low))));
}

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

/** x^y, as C and IEEE 754 define it at the edges. */
export function pow(p: Vectors, x: Push, y: Push): Push {
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
