import type { Local, Push } from "../wasm/index.js";
import { times } from "./doubles.js";
import { reductionFunction } from "./reduction.js";
import type { Vectors } from "./vectors.js";

/** (sin r − r) / r³ and (cos r − 1 + r²/2) / r⁴ in r², for |r| ≤ π/4 */
const sinTail = [
  -0.16666666666666638, 0.008333333333323586, -0.00019841269830539948, 2.7557313898064884e-6,
  -2.5050784964537382e-8, 1.5898110984089694e-10,
];
const cosTail = [
  0.04166666666666666, -0.0013888888888883243, 2.4801587294754568e-5, -2.7557315769884585e-7,
  2.087590351439989e-9, -1.13684174776476e-11,
];

/** π/2 in parts of 33 bits: integers up to 2^20 times each of the first three are exact */
const quarter = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32];

const rounder = 1.5 * 2 ** 52;
const sign = 1n << 63n;

/** Beyond it the reduction is done with as many digits of 2/π as it takes. */
const reductionLimit = 1.6e6;

/** An angle r + tail in quadrant n (in the low bits of `quadrant`). */
interface Angle {
  readonly r: Push;
  readonly tail: Push;
  readonly quadrant: Push;
}

/** x = n π/2 + r + tail, after Cody and Waite, for |x| up to the limit. */
function reduceSmall(p: Vectors, x: Push): Angle {
  const quadrant = p.let(p.add(p.mul(x, p.number(2 / Math.PI)), p.number(rounder)));
  const n = p.let(p.sub(quadrant, p.number(rounder)));
  const part = (i: number) => p.mul(n, p.number(quarter[i]!));
  // the first difference is exact; what each later one rounds away goes to the tail
  const a = p.let(p.sub(x, part(0)));
  const second = p.let(part(1));
  const b = p.let(p.sub(a, second));
  const lostB = p.let(p.sub(p.sub(a, b), second));
  const third = p.let(p.sub(part(2), lostB));
  const c = p.let(p.sub(b, third));
  const lostC = p.sub(p.sub(b, c), third);
  const tail = p.let(p.sub(lostC, part(3)));
  return { r: c, tail, quadrant };
}

/** The lanes beyond the limit are reduced one by one. Infinities end up as NaN. */
function reduce(p: Vectors, x: Push): Angle {
  const { code, unit } = p;
  const angle = reduceSmall(p, x);
  const isLarge = p.let(p.apply("f64x2.gt", p.abs(x), p.number(reductionLimit)));
  const [r, tail, quadrant] = [angle.r, angle.tail, angle.quadrant].map((part) => {
    part();
    return code.keep("v128");
  }) as [Local, Local, Local];
  isLarge();
  code.vector("v128.any_true").if(() => {
    const high = code.local("v128");
    const low = code.local("v128");
    const [a, b, n] = [code.local("f64"), code.local("f64"), code.local("i64")];
    p.number(0)();
    code.tee(high).set(low);
    for (const lane of [0, 1]) {
      isLarge();
      code
        .lane("i64x2.extract_lane", lane)
        .op("i32.wrap_i64")
        .if(() => {
          x();
          code.lane("f64x2.extract_lane", lane).call(reductionFunction(unit)).set(n).set(b).set(a);
          code.get(high).get(a).lane("f64x2.replace_lane", lane).set(high);
          code.get(low).get(b).lane("f64x2.replace_lane", lane).set(low);
          code.get(quadrant).get(n).lane("i64x2.replace_lane", lane).set(quadrant);
        });
    }
    // a quarter turn is π/2; then back to the sign of x
    const fraction = { high: () => void code.get(high), low: () => void code.get(low) };
    const turn = times(p, fraction, { high: p.number(Math.PI / 2), low: p.number(6.123233995736766e-17) });
    const sign = p.let(p.apply("v128.and", x, p.bits(1n << 63n)));
    const place = (part: Push, local: Local) => {
      p.select(isLarge, p.apply("v128.xor", part, sign), () => code.get(local))();
      code.set(local);
    };
    place(turn.high, r);
    place(turn.low, tail);
    const negative = p.apply("i64x2.sub", p.bits(0n), () => code.get(quadrant));
    const isBelow = p.apply("v128.and", isLarge, p.apply("f64x2.lt", x, p.number(0)));
    p.select(isBelow, negative, () => code.get(quadrant))();
    code.set(quadrant);
    // infinity − infinity
    p.add(() => code.get(r), p.sub(x, x))();
    code.set(r);
    for (const local of [high, low]) code.free(local);
  });
  return { r: p.own(r), tail: p.own(tail), quadrant: p.own(quadrant) };
}

export function sin(p: Vectors, x: Push): Push {
  return sineOf(p, reduce(p, x), 0);
}

export function cos(p: Vectors, x: Push): Push {
  return sineOf(p, reduce(p, x), 1);
}

/** sin (shift 0) or cos (shift 1) of an angle:  sin(r + t) ≈ sin r + t cos r */
function sineOf(p: Vectors, { r, tail, quadrant }: Angle, shift: 0 | 1): Push {
  const z = p.let(p.mul(r, r));
  const half = p.let(p.mul(p.number(0.5), z));
  const cube = p.let(p.mul(z, r));
  // r − ((z (t/2 − r³ q) − t) − r³ c₀), with q the tail of the series behind its first coefficient
  const q = p.polynomial(sinTail.slice(1), z);
  const inner = p.sub(p.mul(p.number(0.5), tail), p.mul(cube, q));
  const correction = p.sub(p.sub(p.mul(z, inner), tail), p.mul(cube, p.number(sinTail[0]!)));
  const sine = p.let(p.sub(r, correction));
  // 1 − z/2, and what that rounds away
  const w = p.let(p.sub(p.number(1), half));
  const lost = p.sub(p.sub(p.number(1), w), half);
  const fourth = p.let(p.mul(p.mul(z, z), p.polynomial(cosTail, z)));
  const cosine = p.let(p.add(w, p.add(lost, p.sub(fourth, p.mul(r, tail)))));

  const n = shift === 0 ? quadrant : p.let(p.apply("i64x2.add", quadrant, p.bits(1n)));
  // odd quadrants take the cosine; the second bit is the sign
  const odd = p.let(p.apply("i64x2.sub", p.bits(0n), p.apply("v128.and", n, p.bits(1n))));
  const flip = p.apply("v128.and", p.shiftLeft(n, 62), p.bits(sign));
  return p.apply("v128.xor", p.select(odd, cosine, sine), flip);
}

/** (atan t − t) / t³ in t², for |t| ≤ tan π/8 */
const atanTail = [
  -0.3333333333333333, 0.19999999999999266, -0.14285714285563883, 0.11111111097927545, -0.09090908460924725,
  0.07692289254534297, -0.06666314559807278, 0.05877814230921648, -0.052231338855385605, 0.04521472509973215,
  -0.03386511528211148, 0.015568104905443303,
];

/**
 * atan |x| = base + atan t, where t is |x|, (|x| − 1) / (|x| + 1) or −1 / |x|, whichever is at most tan π/8.
 */
export function atan(p: Vectors, x: Push): Push {
  const size = p.let(p.abs(x));
  const isLarge = p.let(p.apply("f64x2.gt", size, p.number(Math.SQRT2 + 1)));
  const isMiddle = p.let(p.apply("f64x2.gt", size, p.number(Math.SQRT2 - 1)));
  const top = p.select(isMiddle, p.sub(size, p.number(1)), size);
  const bottom = p.select(isMiddle, p.add(size, p.number(1)), p.number(1));
  const numerator = p.let(p.select(isLarge, p.number(-1), top));
  const t = p.let(p.div(numerator, p.select(isLarge, size, bottom)));
  const middle = (large: number, centre: number) =>
    p.let(p.select(isLarge, p.number(large), p.apply("v128.and", isMiddle, p.number(centre))));
  const high = middle(Math.PI / 2, Math.PI / 4);
  const low = middle(6.123233995736766e-17, 3.061616997868383e-17);
  const z = p.let(p.mul(t, t));
  const rest = p.add(p.mul(p.mul(t, z), p.polynomial(atanTail, z)), low);
  return p.withSign(p.add(high, p.add(t, rest)), x);
}
