import type { Builder } from "../graph/builder.js";
import type { Op, Value } from "../graph/graph.js";
import { add, div, mul, neg, sub } from "./arithmetic.js";
import { abs, exp, log, log1p, reciprocal, sign, sqrt } from "./elementwise.js";
import { equal, greater, where } from "./logic.js";
import { cast } from "./reshape.js";
import { unary } from "./unary.js";

// Trigonometric and hyperbolic functions, with formulas that keep full precision where there is no float64 kernel.

/** ȳ cos x */
export const Sin: Op = unary("Sin", { f: Math.sin, vjp: (b, g, x) => mul(b, g, cos(b, x)) });

/** −ȳ sin x */
export const Cos: Op = unary("Cos", { f: Math.cos, vjp: (b, g, x) => neg(b, mul(b, g, sin(b, x))) });

/** ȳ (1 + y²) */
export const Tan: Op = unary("Tan", {
  f: Math.tan,
  vjp: (b, g, _x, y) => mul(b, g, add(b, mul(b, y, y), 1)),
  formula: (b, x) => div(b, sin(b, x), cos(b, x)),
});

/** ȳ / √(1 − x²), with 1 − x² = (1 − x)(1 + x) */
export const Asin: Op = unary("Asin", {
  f: Math.asin,
  vjp: (b, g, x) => div(b, g, halfCircle(b, x)),
  formula: (b, x) => atan(b, div(b, x, halfCircle(b, x))),
});

/** −ȳ / √(1 − x²) */
export const Acos: Op = unary("Acos", {
  f: Math.acos,
  vjp: (b, g, x) => neg(b, div(b, g, halfCircle(b, x))),
  formula: (b, x) => mul(b, atan(b, sqrt(b, div(b, sub(b, 1, x), add(b, x, 1)))), 2),
});

function halfCircle(b: Builder, x: Value): Value {
  return sqrt(b, mul(b, sub(b, 1, x), add(b, x, 1)));
}

/**
 * ȳ / (1 + x²)
 *
 * In float64 the float32 result a is refined by d = atan x − a, which is so small that it equals its own tangent,
 *
 *   d = tan(atan x − a) = (x cos a − sin a) / (cos a + x sin a)
 */
export const Atan: Op = unary("Atan", {
  f: Math.atan,
  vjp: (b, g, x) => div(b, g, add(b, mul(b, x, x), 1)),
  formula(b, given) {
    // beyond 10¹⁷ all have the arctangent of 10¹⁷; infinities would make a NaN
    const x = where(b, greater(b, abs(b, given), 1e17), mul(b, sign(b, given), 1e17), given);
    const a = cast(b, atan(b, cast(b, x, "float32")), x.dtype);
    const [s, c] = [sin(b, a), cos(b, a)];
    return add(b, a, div(b, sub(b, mul(b, x, c), s), add(b, c, mul(b, x, s))));
  },
});

/** ȳ cosh x. As a product, tanh x cosh x does not cancel at 0. */
export const Sinh: Op = unary("Sinh", {
  since: 9,
  f: Math.sinh,
  vjp: (b, g, x) => mul(b, g, cosh(b, x)),
  formula: (b, x) => mul(b, tanh(b, x), coshFormula(b, x)),
});

/** ȳ sinh x */
export const Cosh: Op = unary("Cosh", {
  since: 9,
  f: Math.cosh,
  vjp: (b, g, x) => mul(b, g, sinh(b, x)),
  formula: coshFormula,
});

/** cosh x = (e^|x| + e^−|x|) / 2, with e^|x| as a square: halving first, it overflows where cosh does, not before. */
function coshFormula(b: Builder, x: Value): Value {
  const root = exp(b, mul(b, abs(b, x), 0.5));
  const half = mul(b, root, 0.5);
  return add(b, mul(b, half, root), div(b, div(b, 0.5, root), root));
}

/** ȳ (1 − y²) */
export const Tanh: Op = unary("Tanh", {
  f: Math.tanh,
  vjp: (b, g, _x, y) => mul(b, g, sub(b, 1, mul(b, y, y))),
});

/** ȳ / √(1 + x²) */
export const Asinh: Op = unary("Asinh", {
  since: 9,
  f: Math.asinh,
  vjp: (b, g, x) => div(b, g, sqrt(b, add(b, mul(b, x, x), 1))),
  // log(|x| + √(x² + 1)) = log1p(|x| + x² / (1 + √(x² + 1))); for large |x|, log |x| + log 2
  formula(b, x) {
    const size = abs(b, x);
    const isLarge = greater(b, size, 1e9);
    const small = where(b, isLarge, 1, size);
    const square = mul(b, small, small);
    const near = log1p(b, add(b, small, div(b, square, add(b, sqrt(b, add(b, square, 1)), 1))));
    return mul(b, sign(b, x), where(b, isLarge, add(b, log(b, size), Math.LN2), near));
  },
});

/** ȳ / √(x² − 1), with x² − 1 = (x − 1)(x + 1) */
export const Acosh: Op = unary("Acosh", {
  since: 9,
  f: Math.acosh,
  vjp: (b, g, x) => div(b, g, sqrt(b, mul(b, sub(b, x, 1), add(b, x, 1)))),
  // with u = x − 1,  log1p(u + √u √(u + 2)): a root of the product would be real below −1, too
  formula(b, x) {
    const isLarge = greater(b, x, 1e9);
    const u = sub(b, where(b, isLarge, 2, x), 1);
    const near = log1p(b, add(b, u, mul(b, sqrt(b, u), sqrt(b, add(b, u, 2)))));
    return where(b, isLarge, add(b, log(b, x), Math.LN2), near);
  },
});

/** ȳ / (1 − x²) */
export const Atanh: Op = unary("Atanh", {
  since: 9,
  f: Math.atanh,
  vjp: (b, g, x) => mul(b, g, reciprocal(b, mul(b, sub(b, 1, x), add(b, x, 1)))),
  // log((1 + x) / (1 − x)) / 2, of |x|
  formula(b, x) {
    const size = abs(b, x);
    const half = mul(b, log1p(b, div(b, mul(b, size, 2), sub(b, 1, size))), 0.5);
    const rest = sub(b, 1, size);
    return mul(b, sign(b, x), where(b, equal(b, rest, 0), reciprocal(b, rest), half));
  },
});

export function sin(b: Builder, x: Value): Value {
  return b.apply(Sin, [x]);
}

export function cos(b: Builder, x: Value): Value {
  return b.apply(Cos, [x]);
}

export function tan(b: Builder, x: Value): Value {
  return b.apply(Tan, [x]);
}

export function atan(b: Builder, x: Value): Value {
  return b.apply(Atan, [x]);
}

export function sinh(b: Builder, x: Value): Value {
  return b.apply(Sinh, [x]);
}

export function cosh(b: Builder, x: Value): Value {
  return b.apply(Cosh, [x]);
}

export function tanh(b: Builder, x: Value): Value {
  return b.apply(Tanh, [x]);
}

export function asin(b: Builder, x: Value): Value {
  return b.apply(Asin, [x]);
}

export function acos(b: Builder, x: Value): Value {
  return b.apply(Acos, [x]);
}

export function asinh(b: Builder, x: Value): Value {
  return b.apply(Asinh, [x]);
}

export function acosh(b: Builder, x: Value): Value {
  return b.apply(Acosh, [x]);
}

export function atanh(b: Builder, x: Value): Value {
  return b.apply(Atanh, [x]);
}
