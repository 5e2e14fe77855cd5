import type { Push } from "../wasm/index.js";
import { product } from "./doubles.js";
import type { Vectors } from "./vectors.js";

// Coefficients: Remez' algorithm in 60 digits, rounded.

/** points in an octave, of both tables */
const density = 128;
const densityBits = 7;
/** (log₂ (1 + r)) / r for |r| ≤ 0.00395, to 2e−17 */
const logarithm = [
  Math.LOG2E,
  -0.7213475204444818,
  0.4808983469347653,
  -0.3606737601701098,
  0.28854383174407144,
  -0.24045480086880894,
];
/** (2^f − 1) / f for |f| ≤ 0.00395, to 1e−17 */
const exponential = [
  Math.LN2,
  0.24022650695908898,
  0.055504108664818565,
  0.009618132111798707,
  0.0013333562311002203,
];

const one = 0x3ffn << 52n;
const step = 1n << BigInt(52 - densityBits);
/** where the octave of the table begins: near √½, and such that 1 is one of its points */
const start = one - step / 2n - 74n * step;

/** A power, in the lanes where it `holds`. */
export interface Power {
  readonly value: Push;
  readonly holds: Push;
}

/**
 * x^y in the shortest chain of dependent operations, to 2 units in the last place, for what is neither subnormal nor far
 * from where powers are of use. With a point c of a table near z, where x = 2ᵏ z, and points 2^{j / 128} of another:
 *
 *   r = z / c − 1,   log₂ x = (k + log₂ c) + r P(r),   t = y log₂ x = n / 128 + f,   xʸ = 2^{n / 128} (1 + f Q(f))
 *
 * log₂ c is kept in two parts, of which the first has so few digits that it adds up with k exactly; the product of that
 * with y is exact, in two parts as well. So what is rounded is small.
 *
 * @see Tang 1989 and 1990, table-driven implementations of the exponential and the logarithm
 */
export function powerByTable(p: Vectors, x: Push, y: Push): Power {
  const tables = {
    inverse: p.unit.numbers("power: 1 / c", () => points().inverse),
    high: p.unit.numbers("power: log c", () => points().high),
    low: p.unit.numbers("power: log c, rest", () => points().low),
    root: p.unit.numbers("power: 2^(j / 128)", () => points().root),
  };
  // the exponent of x, offset so that it is positive
  const shifted = p.let(p.int("sub", x, p.bits(start - one)));
  const exponent = p.let(p.shiftRight(shifted, 52));
  const place = p.let(p.shiftRight(shifted, 52 - densityBits));
  const z = p.let(p.int("sub", x, p.shiftLeft(p.int("sub", exponent, p.bits(1023n)), 52)));
  const k = p.sub(p.apply("v128.or", exponent, p.number(2 ** 52)), p.number(2 ** 52 + 1023));
  const whole = p.let(p.add(k, p.lookUp(tables.high, place)));

  const r = p.let(distance(p, z, p.let(p.lookUp(tables.inverse, place))));
  const { high: top, low: rest } = product(p, y, whole);
  const small = p.madd(p.let(p.mul(y, r)), p.polynomial(logarithm, r), p.mul(y, p.lookUp(tables.low, place)));
  const v = p.let(small);

  const rounder = p.number(1.5 * 2 ** 52);
  const bits = p.let(p.madd(p.let(p.add(top, v)), p.number(density), rounder));
  const near = p.let(p.nmadd(p.let(p.sub(bits, rounder)), p.number(1 / density), top));
  const tail = p.let(p.add(v, rest));
  const f = p.let(p.add(near, tail));
  const scale = p.let(
    p.int("add", p.lookUp(tables.root, bits), p.shiftLeft(p.shiftRight(bits, densityBits), 52)),
  );
  const value = p.let(p.madd(p.let(p.mul(scale, f)), p.polynomial(exponential, f), scale));

  const isNormal = p.apply(
    "v128.and",
    p.float("ge", x, p.number(2 ** -1022)),
    p.float("lt", x, p.number(Infinity)),
  );
  const isNear = p.apply(
    "v128.and",
    p.float("lt", p.abs(top), p.number(1000)),
    p.float("lt", p.abs(tail), p.number(0.5)),
  );
  return { value, holds: p.apply("v128.and", isNormal, isNear) };
}

/** z w − 1 for a z near 1 / w, where w has 20 digits, with one rounding. */
function distance(p: Vectors, z: Push, w: Push): Push {
  if (p.unit.fused) return p.madd(z, w, p.number(-1));
  const high = p.let(p.apply("v128.and", z, p.bits(-1n << 27n)));
  const low = p.sub(z, high);
  return p.add(p.sub(p.mul(high, w), p.number(1)), p.mul(low, w));
}

interface Points {
  readonly inverse: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly root: Float64Array;
}

let known: Points | null = null;

/** Both tables, computed once. */
function points(): Points {
  known ??= { ...logarithms(), root: roots() };
  return known;
}

const digits = 120n;
const unity = 1n << digits;

/** A number as an integer multiple of 2^−120. */
function fixed(x: number): bigint {
  return BigInt(x * 2 ** 52) << (digits - 52n);
}

/** c is the middle of an interval, 1 / c is rounded to 20 binary digits, and log₂ c is that of what it is then. */
function logarithms(): Omit<Points, "root"> {
  const inverse = new Float64Array(density);
  const high = new Float64Array(density);
  const low = new Float64Array(density);
  const half = atanh(unity / 3n);
  for (let i = 0; i < density; i++) {
    const middle = new Float64Array(BigInt64Array.of(start + BigInt(i) * step + step / 2n).buffer)[0]!;
    inverse[i] = Math.round(2 ** 20 / middle) / 2 ** 20;
    const w = fixed(inverse[i]!);
    // −log₂ w = −2 atanh ((w − 1) / (w + 1)) / (2 atanh (1 / 3))
    const log = (-atanh(((w - unity) << digits) / (w + unity)) << digits) / half;
    const rounded = BigInt.asIntN(64, (log + (1n << (digits - 41n))) >> (digits - 40n));
    high[i] = Number(rounded) / 2 ** 40;
    low[i] = Number(log - (rounded << (digits - 40n))) / 2 ** Number(digits);
  }
  return { inverse, high, low };
}

/** atanh s = s + s³/3 + s⁵/5 + … in multiples of 2^−120 */
function atanh(s: bigint): bigint {
  const square = (s * s) >> digits;
  let sum = 0n;
  for (let [power, n] = [s, 1n]; power !== 0n && power !== -1n; power = (power * square) >> digits, n += 2n) {
    sum += power / n;
  }
  return sum;
}

/** 2^{j / 128}: the square root of 2 seven times, and its powers */
function roots(): Float64Array {
  let root = 2n * unity;
  for (let i = 0; i < densityBits; i++) root = squareRoot(root << digits);
  const values = new Float64Array(density);
  for (let [j, value] = [0, unity]; j < density; j++, value = (value * root) >> digits) {
    values[j] = Number(value) / 2 ** Number(digits);
  }
  return values;
}

/** ⌊√n⌋ by Newton's iteration from above */
function squareRoot(n: bigint): bigint {
  let x = 1n << BigInt(Math.ceil(n.toString(2).length / 2));
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}
