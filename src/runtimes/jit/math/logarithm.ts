import type { Push } from "../wasm/index.js";
import type { Pairs } from "./vectors.js";

/** (2 atanh s − 2 s) / s³ in z = s², for |s| ≤ (√2 − 1) / (√2 + 1), to 3e−16 */
const atanhTail = [
  0.666666666666667, 0.39999999999897884, 0.285714286266526, 0.22222211031608308, 0.18182896215383337,
  0.1533149756362812, 0.14619098975543363,
];
const ln2 = { high: 0.6931471806019545, low: -4.2009150726810846e-11 };

/** bits of √½, and of 1 */
const rootHalf = 0x3fe6a09e667f3bcdn;
const one = 0x3ffn << 52n;

/**
 * log x = k ln 2 + log m with m in [√½, √2). With f = m − 1 and s = f / (2 + f),
 *
 *   log m = 2 atanh s = f − f²/2 + s (f²/2 + s² R(s²))
 *
 * in which f − f²/2 carries the leading digits.
 */
export function log(p: Pairs, given: Push): Push {
  const isTiny = p.let(p.apply("f64x2.lt", given, p.number(2 ** -1022)));
  const x = p.let(p.select(isTiny, p.mul(given, p.number(2 ** 54)), given));
  // exponent of x / √½, offset so that it is positive
  const shifted = p.let(p.apply("i64x2.sub", x, p.bits(rootHalf - one)));
  const exponent = p.let(p.shiftRight(shifted, 52));
  const scale = p.shiftLeft(p.apply("i64x2.sub", exponent, p.bits(1023n)), 52);
  const f = p.let(p.sub(p.apply("i64x2.sub", x, scale), p.number(1)));
  // an integer below 2^52 in the low bits of 2^52
  const count = p.sub(p.apply("v128.or", exponent, p.bits(0x4330000000000000n)), p.number(2 ** 52));
  const bias = p.select(isTiny, p.number(1023 + 54), p.number(1023));
  const k = p.let(p.sub(count, bias));

  const s = p.let(p.div(f, p.add(p.number(2), f)));
  const z = p.let(p.mul(s, s));
  const r = p.let(p.mul(z, p.polynomial(atanhTail, z)));
  const half = p.let(p.mul(p.number(0.5), p.mul(f, f)));
  const low = p.add(p.mul(s, p.add(half, r)), p.mul(k, p.number(ln2.low)));
  const result = p.let(p.add(p.mul(k, p.number(ln2.high)), p.sub(f, p.sub(half, low))));

  const isZero = p.apply("f64x2.eq", given, p.number(0));
  const positive = p.let(p.select(isZero, p.number(-Infinity), result));
  const isPositive = p.apply("f64x2.ge", given, p.number(0));
  const proper = p.let(p.select(isPositive, positive, p.number(Number.NaN)));
  return p.select(p.apply("f64x2.eq", given, p.number(Infinity)), p.number(Infinity), proper);
}
