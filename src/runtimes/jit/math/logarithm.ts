import type { Push } from "../wasm/index.js";
import type { Vectors } from "./vectors.js";

/** What depends on the precision. */
const constants = {
  64: {
    /** (2 atanh s − 2 s) / s³ in z = s², for |s| ≤ (√2 − 1) / (√2 + 1), to 3e−16 */
    tail: [
      0.666666666666667, 0.39999999999897884, 0.285714286266526, 0.22222211031608308, 0.18182896215383337,
      0.1533149756362812, 0.14619098975543363,
    ],
    ln2: { high: 0.6931471806019545, low: -4.2009150726810846e-11 },
    /** bits of √½ */
    rootHalf: 0x3fe6a09e667f3bcdn,
    /** the smallest normal number, and what makes normal numbers of smaller ones */
    tiny: 2 ** -1022,
    lift: 54,
  },
  32: {
    /** to 2e−9 */
    tail: [0.6666666655260557, 0.4000012309169209, 0.2855069892857506, 0.23333418795182906],
    ln2: { high: 355 / 512, low: -2.121944400546905e-4 },
    rootHalf: 0x3f3504f3n,
    tiny: 2 ** -126,
    lift: 25,
  },
} as const;

/**
 * log x = k ln 2 + log m with m in [√½, √2). With f = m − 1 and s = f / (2 + f),
 *
 *   log m = 2 atanh s = f − f²/2 + s (f²/2 + s² R(s²))
 *
 * in which f − f²/2 carries the leading digits.
 */
export function log(p: Vectors, given: Push): Push {
  const { tail, ln2, rootHalf, tiny, lift } = constants[p.format.bits];
  const { fraction, bias } = p.format;
  const one = BigInt(bias) << BigInt(fraction);
  const isTiny = p.let(p.float("lt", given, p.number(tiny)));
  const x = p.let(p.select(isTiny, p.mul(given, p.number(2 ** lift)), given));
  // exponent of x / √½, offset so that it is positive
  const shifted = p.let(p.int("sub", x, p.bits(rootHalf - one)));
  const exponent = p.let(p.shiftRight(shifted, fraction));
  const scale = p.shiftLeft(p.int("sub", exponent, p.bits(BigInt(bias))), fraction);
  const f = p.let(p.sub(p.int("sub", x, scale), p.number(1)));
  // an integer in the low bits of a power of two that has no others
  const power = p.number(2 ** fraction);
  const count = p.sub(p.apply("v128.or", exponent, power), power);
  const k = p.let(p.sub(count, p.select(isTiny, p.number(bias + lift), p.number(bias))));

  const s = p.let(p.div(f, p.add(p.number(2), f)));
  const z = p.let(p.mul(s, s));
  const r = p.let(p.mul(z, p.polynomial(tail, z)));
  const half = p.let(p.mul(p.number(0.5), p.mul(f, f)));
  const low = p.add(p.mul(s, p.add(half, r)), p.mul(k, p.number(ln2.low)));
  const result = p.let(p.add(p.mul(k, p.number(ln2.high)), p.sub(f, p.sub(half, low))));

  const isZero = p.float("eq", given, p.number(0));
  const positive = p.let(p.select(isZero, p.number(-Infinity), result));
  const isPositive = p.float("ge", given, p.number(0));
  const proper = p.let(p.select(isPositive, positive, p.number(Number.NaN)));
  return p.select(p.float("eq", given, p.number(Infinity)), p.number(Infinity), proper);
}
