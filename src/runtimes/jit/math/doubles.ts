import type { Push } from "../wasm/index.js";
import type { Vectors } from "./vectors.js";

// Numbers as pairs of float64.

/** An unevaluated sum, |low| ≤ half a unit in the last place of high. */
export interface Double {
  readonly high: Push;
  readonly low: Push;
}

/** a + b exactly, for |a| ≥ |b| */
export function fastSum(p: Vectors, a: Push, b: Push): Double {
  const high = p.let(p.add(a, b));
  return { high, low: p.let(p.sub(b, p.sub(high, a))) };
}

/** a b exactly: by a fused multiply-add, or by halves of 26 bits (Dekker 1971) */
export function product(p: Vectors, a: Push, b: Push): Double {
  if (p.unit.fused) {
    const high = p.let(p.mul(a, b));
    return { high, low: p.let(p.madd(a, b, p.float("neg", high))) };
  }
  const split = (x: Push) => {
    const c = p.let(p.mul(x, p.number(2 ** 27 + 1)));
    const top = p.let(p.sub(c, p.sub(c, x)));
    return { top, rest: p.let(p.sub(x, top)) };
  };
  const high = p.let(p.mul(a, b));
  const [x, y] = [split(a), split(b)];
  const cross = p.add(p.sub(p.mul(x.top, y.top), high), p.mul(x.top, y.rest));
  const low = p.let(p.add(p.add(cross, p.mul(x.rest, y.top)), p.mul(x.rest, y.rest)));
  return { high, low };
}

/** a b, to some 2^−104 */
export function times(p: Vectors, a: Double, b: Double): Double {
  const { high, low } = product(p, a.high, b.high);
  return fastSum(p, high, p.let(p.add(low, p.add(p.mul(a.high, b.low), p.mul(a.low, b.high)))));
}

export function plus(p: Vectors, a: Double, b: Double): Double {
  const { high, low } = fastSum(p, a.high, b.high);
  return fastSum(p, high, p.let(p.add(low, p.add(a.low, b.low))));
}
