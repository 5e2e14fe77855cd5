import type { Builder } from "../graph/builder.js";
import type { Op, Value } from "../graph/graph.js";
import { numeric } from "../graph/signature.js";
import { add, div, mul, neg, sub } from "./arithmetic.js";
import { equal, greater, less, where } from "./logic.js";
import { unary } from "./unary.js";

// Elementwise functions of one operand. In the rules y is the function's own value, so that it is computed once.

/** ȳ eˣ = ȳ y */
export const Exp: Op = unary("Exp", { f: Math.exp, vjp: (b, g, _x, y) => mul(b, g, y) });

/** ȳ / x */
export const Log: Op = unary("Log", { f: Math.log, vjp: (b, g, x) => div(b, g, x) });

/** ȳ / (2 √x) */
export const Sqrt: Op = unary("Sqrt", { f: Math.sqrt, vjp: (b, g, _x, y) => div(b, mul(b, g, 0.5), y) });

/** −ȳ / x² = −ȳ y² */
export const Reciprocal: Op = unary("Reciprocal", {
  f: (x) => 1 / x,
  vjp: (b, g, _x, y) => neg(b, mul(b, g, mul(b, y, y))),
});

/** ȳ sign(x); 0 at 0 */
export const Abs: Op = unary("Abs", {
  types: numeric,
  f: Math.abs,
  exact: (x) => (x < 0n ? -x : x),
  vjp: (b, g, x) => mul(b, g, sign(b, x)),
});

export const Sign: Op = unary("Sign", {
  since: 9,
  types: numeric,
  f: Math.sign,
  exact: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n),
  vjp: null,
  formula: (b, x) => where(b, greater(b, x, 0), 1, where(b, less(b, x, 0), -1, x)),
});

export const Floor: Op = unary("Floor", { f: Math.floor, vjp: null });

export const Ceil: Op = unary("Ceil", { f: Math.ceil, vjp: null });

/** To the nearest integer, halves to the even one. */
export const Round: Op = unary("Round", { since: 11, f: roundHalfEven, vjp: null });

function roundHalfEven(x: number): number {
  if (Math.abs(x) >= 2 ** 52 || !Number.isFinite(x)) return x;
  const down = Math.floor(x);
  const rest = x - down;
  const up = rest > 0.5 || (rest === 0.5 && down % 2 !== 0);
  const rounded = up ? down + 1 : down;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

export function exp(b: Builder, x: Value): Value {
  return b.apply(Exp, [x]);
}

export function log(b: Builder, x: Value): Value {
  return b.apply(Log, [x]);
}

export function sqrt(b: Builder, x: Value): Value {
  return b.apply(Sqrt, [x]);
}

export function reciprocal(b: Builder, x: Value): Value {
  return b.apply(Reciprocal, [x]);
}

export function abs(b: Builder, x: Value): Value {
  return b.apply(Abs, [x]);
}

export function sign(b: Builder, x: Value): Value {
  return b.apply(Sign, [x]);
}

export function floor(b: Builder, x: Value): Value {
  return b.apply(Floor, [x]);
}

export function ceil(b: Builder, x: Value): Value {
  return b.apply(Ceil, [x]);
}

export function round(b: Builder, x: Value): Value {
  return b.apply(Round, [x]);
}

/**
 * log(1 + x), accurate for small x:  with w = fl(1 + x),  x log(w) / (w − 1), in which the rounding of w cancels.
 *
 * @see Kahan; Higham, Accuracy and Stability of Numerical Algorithms, 1.14.1
 */
export function log1p(b: Builder, x: Value): Value {
  const w = add(b, x, 1);
  const isOne = equal(b, w, 1);
  const ratio = div(b, log(b, w), where(b, isOne, 1, sub(b, w, 1)));
  return where(b, isOne, x, mul(b, x, ratio));
}
