import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, sub } from "./arithmetic.js";
import { abs, sqrt } from "./elementwise.js";
import { greater, greaterOrEqual, where } from "./logic.js";
import { rounded } from "./reshape.js";

// Box and Muller's map in additions, multiplications, divisions and roots alone. IEEE 754 rounds each of these in one way,
// so normal numbers are the same bits on every runtime, which logarithms and cosines of libraries are not; products in sums are
// kept from being fused with them.

/**
 * √(−2 ln u) cos 2πv of uniform words of 32 bits: u = 1 − x / 2³², v = y / 2³².
 *
 * @param x, y  whole numbers in [0, 2³²), in float64
 * @see Box & Muller 1958, "A note on the generation of random normal deviates"
 */
export function normalOf(b: Builder, x: Value, y: Value): Value {
  const radius = sqrt(b, mul(b, logOfWord(b, sub(b, 2 ** 32, x)), -2));
  return mul(b, radius, cosineOfTurns(b, mul(b, y, 2 ** -32)));
}

/**
 * ln(k / 2³²) for whole k in [1, 2³²], to rounding. With k = m 2ᵉ, m in [√½, √2] and s = (m − 1) / (m + 1),
 *
 *   ln m = 2 artanh s = 2 s (1 + s²/3 + s⁴/5 + …),   s² < 0.03
 */
function logOfWord(b: Builder, k: Value): Value {
  let [m, exponent]: [Value, Value] = [k, mul(b, k, 0)];
  const halve = (over: Value, times: number) => {
    m = where(b, over, mul(b, m, 2 ** -times), m);
    exponent = where(b, over, add(b, exponent, times), exponent);
  };
  for (const times of [16, 8, 4, 2, 1]) halve(greaterOrEqual(b, m, 2 ** times), times);
  halve(greater(b, m, Math.SQRT2), 1);
  const s = div(b, sub(b, m, 1), add(b, m, 1));
  // 0.03¹¹ / 23 is below the rounding of the first term
  const terms = Array.from({ length: 11 }, (_, i) => 2 / (2 * i + 1));
  const whole = rounded(b, mul(b, sub(b, exponent, 32), Math.LN2));
  return add(b, whole, rounded(b, mul(b, s, polynomial(b, mul(b, s, s), terms))));
}

/** cos 2πv for v in [0, 1): −sin(π z / 2) at z = 1 − |4v − 2|, by the series of the sine. */
function cosineOfTurns(b: Builder, v: Value): Value {
  const z = sub(b, 1, abs(b, sub(b, rounded(b, mul(b, v, 4)), 2)));
  // (π/2)²³ / 23! is 1e−18
  const terms = [-Math.PI / 2];
  for (let i = 1; i < 12; i++) terms.push((-terms[i - 1]! * (Math.PI / 2) ** 2) / (2 * i * (2 * i + 1)));
  return mul(b, z, polynomial(b, mul(b, z, z), terms));
}

/** Σ cᵢ xⁱ by Horner's rule. */
function polynomial(b: Builder, x: Value, coefficients: readonly number[]): Value {
  const [last, ...rest] = [...coefficients].reverse();
  return rest.reduce<Value>((sum, c) => add(b, rounded(b, mul(b, sum, x)), c), b.scalar("float64", last!));
}
