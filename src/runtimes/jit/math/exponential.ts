import type { Push } from "../wasm/index.js";
import type { Pairs } from "./vectors.js";

// exp, and what is made of it. Coefficients: Remez' algorithm in 60 digits, rounded to float64.

/** (eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2, to 3e−19 r */
const expTail = [
  0.5, 0.16666666666666677, 0.0416666666666667, 0.008333333333322104, 0.0013888888888867726,
  0.00019841269885087235, 2.4801587359190922e-5, 2.755724513196428e-6, 2.755724370550827e-7,
  2.5108750295931534e-8, 2.0924199967827477e-9,
];

/** ln 2 in two parts; integers up to 2^20 times the first are exact */
const ln2 = { high: 0.6931471806019545, low: -4.2009150726810846e-11 };
const log2e = Math.LOG2E;

/** Adding it rounds a number below 2^51 to an integer, which then stands in the low bits. */
const rounder = 1.5 * 2 ** 52;
const one = 0x3ffn << 52n;

/** x = k ln 2 + r: the bits that hold k, k itself, and r, with |r| ≤ ln 2 / 2 */
function reduce(p: Pairs, x: Push): { bits: Push; k: Push; r: Push } {
  const bits = p.let(p.add(p.mul(x, p.number(log2e)), p.number(rounder)));
  const k = p.let(p.sub(bits, p.number(rounder)));
  const r = p.let(p.sub(p.sub(x, p.mul(k, p.number(ln2.high))), p.mul(k, p.number(ln2.low))));
  return { bits, k, r };
}

/** eʳ − 1 = r + r² q(r) */
function expm1OfRest(p: Pairs, r: Push): Push {
  const square = p.let(p.mul(r, r));
  const q = p.polynomial(expTail, r);
  return p.let(p.add(r, p.mul(square, q)));
}

/** 2^k from the bits that hold k, for k in −1022 … 1023 */
function powerOfTwo(p: Pairs, bits: Push): Push {
  return p.apply("i64x2.add", p.shiftLeft(bits, 52), p.bits(one));
}

/**
 * eˣ = 2^k eʳ. The factor is applied in two halves, so that neither overflows and subnormal results round once.
 */
export function exp(p: Pairs, given: Push): Push {
  return expOf(p, given, null);
}

/** 2^scale exp(x + tail), for a tail so small that only its first power counts. */
export function expOf(p: Pairs, given: Push, tail: Push | null, scale = 0): Push {
  const above = p.apply("f64x2.pmax", given, p.number(-746));
  const x = p.let(p.apply("f64x2.pmin", above, p.number(711)));
  const { bits, k, r } = reduce(p, x);
  const half = p.let(p.add(p.mul(k, p.number(0.5)), p.number(rounder)));
  const rest = p.let(p.apply("i64x2.sub", bits, p.apply("i64x2.sub", half, p.bits(rounderBits))));
  const inner = expm1OfRest(p, tail === null ? r : p.let(p.add(r, tail)));
  const e = p.let(p.add(p.number(1), inner));
  const second = scale === 0 ? rest : p.apply("i64x2.add", rest, p.bits(BigInt(scale)));
  return p.mul(p.mul(e, powerOfTwo(p, half)), powerOfTwo(p, second));
}

const rounderBits = new BigUint64Array(new Float64Array([rounder]).buffer)[0]!;

/** e^x − 1 = 2^k (eʳ − 1) + (2^k − 1), which does not cancel, for 0 ≤ x ≤ 700 */
function expm1(p: Pairs, x: Push): Push {
  const { bits, r } = reduce(p, x);
  const scale = p.let(powerOfTwo(p, bits));
  const inner = expm1OfRest(p, r);
  return p.let(p.add(p.mul(scale, inner), p.sub(scale, p.number(1))));
}

/** tanh x = t / (t + 2) with t = e^(2|x|) − 1; the sign is put back. */
export function tanh(p: Pairs, x: Push): Push {
  const size = p.let(p.apply("f64x2.pmin", p.mul(p.abs(x), p.number(2)), p.number(44)));
  const t = expm1(p, size);
  return p.withSign(p.div(t, p.add(t, p.number(2))), x);
}

/** cosh x = h + 1 / (4 h) with h = e^|x| / 2 */
export function cosh(p: Pairs, x: Push): Push {
  const half = p.let(expOf(p, p.let(p.abs(x)), null, -1));
  return p.add(half, p.div(p.number(0.25), half));
}

/** sinh |x| = (t + t / (t + 1)) / 2 with t = e^|x| − 1, and e^|x| / 2 where t + 1 is t; the sign is put back. */
export function sinh(p: Pairs, x: Push): Push {
  const size = p.let(p.abs(x));
  const isLarge = p.let(p.apply("f64x2.gt", size, p.number(40)));
  const t = expm1(p, p.let(p.apply("f64x2.pmin", size, p.number(40))));
  const near = p.let(p.mul(p.number(0.5), p.add(t, p.div(t, p.add(t, p.number(1))))));
  const far = p.let(expOf(p, size, null, -1));
  return p.withSign(p.let(p.select(isLarge, far, near)), x);
}

/** 1 / (1 + e^−|x|) for x ≥ 0, e^−|x| / (1 + e^−|x|) below */
export function sigmoid(p: Pairs, x: Push): Push {
  const e = p.let(exp(p, p.let(p.apply("f64x2.neg", p.abs(x)))));
  const top = p.select(p.apply("f64x2.lt", x, p.number(0)), e, p.number(1));
  return p.div(top, p.add(p.number(1), e));
}
