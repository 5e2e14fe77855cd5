import type { Push } from "../wasm/index.js";
import type { Stage, Staged } from "./pipeline.js";
import type { Vectors } from "./vectors.js";

// tanh |x| from a known tangent T = tanh c and that of the rest, τ = tanh r with |x| = c + r; the sign is put back.
// Coefficients: Remez' algorithm in 60 digits, rounded.

/** what is left of the operand; its tangent; the sum of both tangents */
export const tanh: Staged = [0, 1, 2].map(
  (i): Stage =>
    (p, ...operands) =>
      (p.isDouble ? ofPairs : ofQuads)[i]!(p, ...operands),
);

/** τ = r + r³ q(r²) */
function tanhOfRest(p: Vectors, r: Push, tail: readonly number[]): Push {
  const square = p.let(p.mul(r, r));
  return p.let(p.madd(p.mul(r, square), p.polynomial(tail, square), r));
}

const quads = {
  /** (tanh r − r) / r³ in r², for |r| ≤ 0.52, to 2e−8 */
  tail: [-0.33333094381675926, 0.13324416203159675, -0.05292809554074237, 0.016965675054714],
  /** here tanh is 1 */
  limit: 10,
} as const;

/**
 * float32: c = k ln 2 / 2 with k ≥ 0, s = 2^k, where T = (s − 1) / (s + 1):
 *
 *   tanh |x| = n / (n + 2 − 2 τ),   n = (s + 1) τ + (s − 1)
 *
 * Written so, what n is off by hardly counts where tanh is near 1. The steps begin late, so that the first, in which
 * tanh |x| = τ, reaches up to 0.52. Off by at most 1.75 units in the last place, over all float32.
 */
const ofQuads: Staged = [
  (p, x) => {
    const rounder = 1.5 * 2 ** p.format.fraction;
    const sign = p.let(p.signOf(x));
    const size = p.let(p.float("pmin", p.apply("v128.xor", x, sign), p.number(quads.limit)));
    const steps = p.madd(size, p.number(2 * Math.LOG2E), p.number(rounder - 1));
    const bits = p.let(p.float("pmax", steps, p.number(rounder)));
    const r = p.let(p.nmadd(p.sub(bits, p.number(rounder)), p.number(Math.LN2 / 2), size));
    return [sign, bits, r];
  },
  (p, sign, bits, r) => {
    const power = p.let(p.int("add", p.shiftLeft(bits!, p.format.fraction), p.number(1)));
    return [sign!, power, tanhOfRest(p, r!, quads.tail)];
  },
  (p, sign, power, tau) => {
    const [one, two] = [p.number(1), p.number(2)];
    const top = p.let(p.madd(p.add(power!, one), tau!, p.sub(power!, one)));
    const bottom = p.add(top, p.nmadd(two, tau!, two));
    return [p.let(p.apply("v128.or", p.div(top, bottom), sign!))];
  },
];

const pairs = {
  /** (tanh r − r) / r³ in r², for |r| ≤ 1 / 64, to 7e−19 */
  tail: [-0.33333333333327492, 0.13333333188159344, -0.053957997406959654],
  limit: 20,
  /** points of the table in a unit */
  density: 32,
} as const;

/**
 * float64: c = k / 32, with T from a table:
 *
 *   tanh |x| = T + τ (1 − T²) / (1 + T τ)
 *
 * What is added is small, so that the roundings on the way to it hardly count.
 */
const ofPairs: Staged = [
  (p, x) => {
    const { limit, density } = pairs;
    const rounder = p.number(1.5 * 2 ** p.format.fraction);
    const sign = p.let(p.signOf(x));
    const size = p.let(p.float("pmin", p.apply("v128.xor", x, sign), p.number(limit)));
    const bits = p.let(p.madd(size, p.number(density), rounder));
    const r = p.let(p.nmadd(p.sub(bits, rounder), p.number(1 / density), size));
    return [sign, bits, r];
  },
  (p, sign, bits, r) => {
    const { limit, density } = pairs;
    const table = p.unit.numbers("tanh", () => tangents(density, limit * density));
    return [sign!, p.let(p.lookUp(table, bits!)), tanhOfRest(p, r!, pairs.tail)];
  },
  (p, sign, T, tau) => {
    const one = p.number(1);
    const rest = p.div(p.mul(tau!, p.nmadd(T!, T!, one)), p.madd(T!, tau!, one));
    return [p.let(p.apply("v128.or", p.add(T!, rest), sign!))];
  },
];

/**
 * tanh (k / density) = (eᵏ − 1) / (eᵏ + 1) with e = exp (2 / density), in integers of 160 bits, rounded once.
 */
function tangents(density: number, last: number): Float64Array {
  const one = 1n << 160n;
  let base = one;
  let term = one;
  for (let i = 1n; term > 0n; i++) {
    term = (term * 2n) / (BigInt(density) * i);
    base += term;
  }
  const values = new Float64Array(last + 1);
  let e = one;
  for (let k = 0; k <= last; k++) {
    values[k] = Number(((e - one) * one) / (e + one)) / 2 ** 160;
    e = (e * base) / one;
  }
  return values;
}
