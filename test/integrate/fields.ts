import type { VectorField } from "../../src/fields/field.js";
import type { Value } from "../../src/graph/graph.js";
import { add, div, mul, neg, sub } from "../../src/ops/arithmetic.js";
import { sign, sqrt } from "../../src/ops/elementwise.js";
import { concat, split } from "../../src/ops/slicing.js";
import { cos } from "../../src/ops/trigonometry.js";

// Fields without parameters whose solutions are known.

/** y' = −y: y = y0 e^−t. */
export const decay: VectorField = {
  name: "decay",
  state: ["batch", 1],
  parameters: {},
  apply: (b, _theta, _t, y) => neg(b, y),
};

/**
 * u' = 2 t v (u² + v²),  v' = −2 t u (u² + v²): nonlinear and non-autonomous. From (0, 1) at t = 0 the solution is
 * (sin t², cos t²).
 */
export const spinning: VectorField = {
  name: "spinning",
  state: ["batch", 2],
  parameters: {},
  apply(b, _theta, t, y) {
    const [u, v] = split(b, y, 1, [1, 1]) as [Value, Value];
    const speed = mul(b, mul(b, t, 2), add(b, mul(b, u, u), mul(b, v, v)));
    return concat(b, [mul(b, speed, v), neg(b, mul(b, speed, u))], 1);
  },
};

/** The solution of `spinning` at t. */
export const spinningAt = (t: number): number[] => [Math.sin(t * t), Math.cos(t * t)];

/** y' = y cos t: y = y0 e^(sin t) from t = 0. */
export const swelling: VectorField = {
  name: "swelling",
  state: ["batch", 1],
  parameters: {},
  apply: (b, _theta, t, y) => mul(b, y, cos(b, t)),
};

/** y' = sign(t − 1): y = y0 + |t − 1| − 1 from t = 0. */
export const kink: VectorField = {
  name: "kink",
  state: ["batch", 1],
  parameters: {},
  apply: (b, _theta, t, y) => add(b, mul(b, y, 0), sign(b, sub(b, t, 1))),
};

/** y' = −1 / (2 √y): y = (y0^(3/2) − 3 t / 4)^(2/3), which ends at y = 0. */
export const ending: VectorField = {
  name: "ending",
  state: ["batch", 1],
  parameters: {},
  apply: (b, _theta, _t, y) => div(b, -0.5, sqrt(b, y)),
};
