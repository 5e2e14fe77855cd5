import type { Builder } from "../graph/builder.js";
import type { Attributes, Op, Value } from "../graph/graph.js";
import { choice } from "../graph/signature.js";
import { add, div, mul, neg, sub } from "./arithmetic.js";
import { abs, exp, sign } from "./elementwise.js";
import { greater, lessOrEqual, where } from "./logic.js";
import { tanh } from "./trigonometry.js";
import { unary } from "./unary.js";

// Rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23
// (1969), coefficients of his CALERF. Highest powers first.

/** erf(x) / x in x², for |x| ≤ 0.46875 */
const near = {
  boundary: 0.46875,
  numerator: [
    0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694,
  ],
  denominator: [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171],
};

/**
 * exp(x²) (1 − erf(x)) in x, for 0.46875 ≤ x ≤ 4. Up to 6, where erf is 1 in float64, it is still far better than
 * the precision that 1 − erf needs there.
 */
const far = {
  boundary: 6,
  numerator: [
    2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001,
    881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
  ],
  denominator: [
    1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
    4362.619090143247, 3439.3676741437216, 1230.3393548037495,
  ],
};

/** erf on the host, to 5 · 10⁻¹⁶ relative. */
export function erfOf(x: number): number {
  const horner = (coefficients: readonly number[], at: number) =>
    coefficients.reduce((sum, coefficient) => sum * at + coefficient, 0);
  const size = Math.abs(x);
  if (size <= near.boundary) {
    return (x * horner(near.numerator, x * x)) / horner(near.denominator, x * x);
  }
  const clipped = Math.min(size, far.boundary);
  const rest =
    (Math.exp(-clipped * clipped) * horner(far.numerator, clipped)) / horner(far.denominator, clipped);
  return Math.sign(x) * (1 - rest);
}

/** The same by elementary operators; both branches are computed, each where it is safe. */
function erfFormula(b: Builder, x: Value): Value {
  const horner = ([first, ...rest]: readonly number[], at: Value) => {
    const start = mul(b, at, first!);
    return rest.reduce((sum, c, i) => (i === 0 ? add(b, start, c) : add(b, mul(b, sum, at), c)), start);
  };
  const size = abs(b, x);
  const isNear = lessOrEqual(b, size, near.boundary);
  const small = where(b, isNear, x, near.boundary);
  const square = mul(b, small, small);
  const inner = mul(b, small, div(b, horner(near.numerator, square), horner(near.denominator, square)));
  const large = where(b, greater(b, size, far.boundary), far.boundary, size);
  const ratio = div(b, horner(far.numerator, large), horner(far.denominator, large));
  const rest = mul(b, exp(b, neg(b, mul(b, large, large))), ratio);
  return where(b, isNear, inner, mul(b, sign(b, x), sub(b, 1, rest)));
}

/** erf(x) = 2/√π ∫₀ˣ exp(−t²) dt:  x̄ = ȳ 2/√π exp(−x²) */
export const Erf: Op = unary("Erf", {
  since: 9,
  f: erfOf,
  vjp: (b, g, x) => mul(b, g, mul(b, exp(b, neg(b, mul(b, x, x))), 2 / Math.sqrt(Math.PI))),
  formula: erfFormula,
});

export function erf(b: Builder, x: Value): Value {
  return b.apply(Erf, [x]);
}

const cubic = 0.044715;
const slope = Math.sqrt(2 / Math.PI);
const isTanh = (attributes: Attributes) => attributes.approximate === "tanh";

/**
 * Gelu: y = x Φ(x), with Φ(x) = (1 + erf(x / √2)) / 2, or approximately (1 + tanh u) / 2 with u = √(2/π) (x + 0.044715 x³).
 *
 *   x̄ = ȳ (Φ + x φ(x)),  φ(x) = exp(−x²/2) / √(2π)
 *   x̄ = ȳ (Φ + x (1 − tanh² u) u′ / 2)
 */
export const Gelu: Op = unary("Gelu", {
  since: 20,
  attributes: { approximate: choice(["none", "tanh"]) },
  f: (x, attributes) =>
    isTanh(attributes)
      ? 0.5 * x * (1 + Math.tanh(slope * (x + cubic * x ** 3)))
      : 0.5 * x * (1 + erfOf(x * Math.SQRT1_2)),
  vjp(b, g, x, _y, attributes) {
    const square = mul(b, x, x);
    if (!isTanh(attributes)) {
      const density = mul(b, exp(b, mul(b, square, -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return mul(b, g, add(b, cdf(b, x, attributes), mul(b, x, density)));
    }
    const t = tanh(b, bend(b, x));
    const du = add(b, mul(b, square, 3 * cubic * slope), slope);
    const change = mul(b, mul(b, mul(b, x, 0.5), sub(b, 1, mul(b, t, t))), du);
    return mul(b, g, add(b, cdf(b, x, attributes), change));
  },
  formula: (b, x, attributes) => mul(b, x, cdf(b, x, attributes)),
});

function bend(b: Builder, x: Value): Value {
  return mul(b, x, add(b, mul(b, mul(b, x, x), cubic * slope), slope));
}

function cdf(b: Builder, x: Value, attributes: Attributes): Value {
  const odd = isTanh(attributes) ? tanh(b, bend(b, x)) : erf(b, mul(b, x, Math.SQRT1_2));
  return add(b, mul(b, odd, 0.5), 0.5);
}

export function gelu(b: Builder, x: Value, approximate: "none" | "tanh" = "none"): Value {
  return b.apply(Gelu, [x], approximate === "none" ? {} : { approximate });
}
