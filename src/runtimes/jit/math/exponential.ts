import type { Push } from "../wasm/index.js";
import type { Staged } from "./pipeline.js";
import type { Vectors } from "./vectors.js";

// exp, and what is made of it. Coefficients: Remez' algorithm in 60 digits, rounded.

/** What depends on the precision. */
const constants = {
  64: {
    /** (eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2, to 3e−19 / r */
    tail: [
      0.5, 0.16666666666666677, 0.0416666666666667, 0.008333333333322104, 0.0013888888888867726,
      0.00019841269885087235, 2.4801587359190922e-5, 2.755724513196428e-6, 2.755724370550827e-7,
      2.5108750295931534e-8, 2.0924199967827477e-9,
    ],
    /** ln 2 in two parts; integers up to 2^20 times the first are exact */
    ln2: { high: 0.6931471806019545, low: -4.2009150726810846e-11 },
    /** beyond these, exp is 0 or infinite, and half of it too */
    range: [-746, 711],
  },
  32: {
    /** to 3e−10 / r */
    tail: [
      0.5000000044770779, 0.16666666820343187, 0.04166635435514085, 0.00833327179225389,
      0.0013941314469687676, 0.00019915062879509497,
    ],
    /** integers up to 2^15 times the first are exact */
    ln2: { high: 355 / 512, low: -2.121944400546905e-4 },
    range: [-105, 90],
  },
} as const;

/** Adding it rounds a number, if not too large, to an integer, which then stands in the low bits. */
function rounderOf({ format }: Vectors): number {
  return 1.5 * 2 ** format.fraction;
}

/** x = k ln 2 + r: the bits that hold k, k itself, and r, with |r| ≤ ln 2 / 2 */
function reduce(p: Vectors, x: Push): { bits: Push; k: Push; r: Push } {
  const { ln2 } = constants[p.format.bits];
  const rounder = p.number(rounderOf(p));
  const bits = p.let(p.madd(x, p.number(Math.LOG2E), rounder));
  const k = p.let(p.sub(bits, rounder));
  const r = p.let(p.nmadd(k, p.number(ln2.low), p.nmadd(k, p.number(ln2.high), x)));
  return { bits, k, r };
}

/** eʳ − 1 = r + r² q(r) */
function expm1OfRest(p: Vectors, r: Push): Push {
  const square = p.let(p.mul(r, r));
  const q = p.polynomial(constants[p.format.bits].tail, r);
  return p.let(p.madd(square, q, r));
}

/** 2^k from the bits that hold k, as long as it is a normal number */
function powerOfTwo(p: Vectors, bits: Push): Push {
  return p.int("add", p.shiftLeft(bits, p.format.fraction), p.number(1));
}

/** What exp needs to know of an operand, which is brought to where the result is 0 or infinite at the most. */
function reduceWithin(p: Vectors, given: Push): [bits: Push, k: Push, r: Push] {
  const [lowest, highest] = constants[p.format.bits].range;
  const above = p.float("pmax", given, p.number(lowest));
  const { bits, k, r } = reduce(p, p.let(p.float("pmin", above, p.number(highest))));
  return [bits, k, r];
}

/** 2^(k + scale) eʳ. The factor is applied in two halves, so that neither overflows and subnormal results round once. */
function scaled(p: Vectors, [bits, k, r]: readonly Push[], scale = 0): Push {
  const rounder = p.number(rounderOf(p));
  const half = p.let(p.madd(k!, p.number(0.5), rounder));
  const rest = p.let(p.int("sub", bits!, p.int("sub", half, rounder)));
  const e = p.let(p.add(p.number(1), expm1OfRest(p, r!)));
  const second = scale === 0 ? rest : p.int("add", rest, p.bits(BigInt(scale)));
  return p.mul(p.mul(e, powerOfTwo(p, half)), powerOfTwo(p, second));
}

/** eˣ = 2^k eʳ */
export const exp: Staged = [reduceWithin, (p, ...reduced) => [p.let(scaled(p, reduced))]];

/** 2^scale exp(x + tail), for a tail so small that only its first power counts. */
export function expOf(p: Vectors, given: Push, tail: Push | null, scale = 0): Push {
  const [bits, k, r] = reduceWithin(p, given);
  return scaled(p, [bits, k, tail === null ? r : p.let(p.add(r, tail))], scale);
}

/** e^x − 1 = 2^k (eʳ − 1) + (2^k − 1), which does not cancel, for 0 ≤ x ≤ 700 */
function expm1(p: Vectors, x: Push): Push {
  const { bits, r } = reduce(p, x);
  const scale = p.let(powerOfTwo(p, bits));
  const inner = expm1OfRest(p, r);
  return p.let(p.madd(scale, inner, p.sub(scale, p.number(1))));
}

/** cosh x = h + 1 / (4 h) with h = e^|x| / 2 */
export function cosh(p: Vectors, x: Push): Push {
  const half = p.let(expOf(p, p.let(p.abs(x)), null, -1));
  return p.add(half, p.div(p.number(0.25), half));
}

/** sinh |x| = (t + t / (t + 1)) / 2 with t = e^|x| − 1, and e^|x| / 2 where t + 1 is t; the sign is put back. */
export function sinh(p: Vectors, x: Push): Push {
  const size = p.let(p.abs(x));
  const isLarge = p.let(p.float("gt", size, p.number(40)));
  const t = expm1(p, p.let(p.float("pmin", size, p.number(40))));
  const near = p.let(p.mul(p.number(0.5), p.add(t, p.div(t, p.add(t, p.number(1))))));
  const far = p.let(expOf(p, size, null, -1));
  return p.withSign(p.let(p.select(isLarge, far, near)), x);
}

/** 1 / (1 + e^−|x|) for x ≥ 0, e^−|x| / (1 + e^−|x|) below */
export const sigmoid: Staged = [
  (p, x) => [x!, ...reduceWithin(p, p.let(p.float("neg", p.abs(x!))))],
  (p, x, ...reduced) => [x!, p.let(scaled(p, reduced))],
  (p, x, e) => {
    const top = p.select(p.float("lt", x!, p.number(0)), e!, p.number(1));
    return [p.let(p.div(top, p.add(p.number(1), e!)))];
  },
];
