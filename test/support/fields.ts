import type { VectorField } from "../../src/fields/field.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { tanh } from "../../src/ops/trigonometry.js";

/** y' = a y², componentwise: from y0 > 0 the solution leaves every bound at t = 1 / (a y0). */
export const squaring: VectorField = {
  name: "squaring",
  state: ["batch", 1],
  parameters: { a: { shape: [], initial: () => [1] } },
  apply: (b, theta, _t, y) => mul(b, theta.a!, mul(b, y, y)),
};

/** y' = tanh(w y + t), componentwise, on states of any width: one evaluation is one Tanh node. */
export function wavering(dim: number): VectorField {
  return {
    name: "wavering",
    state: ["batch", dim],
    parameters: {
      w: { shape: [dim], initial: (random) => Array.from({ length: dim }, () => random.normal()) },
    },
    apply: (b, theta, t, y) => tanh(b, add(b, mul(b, y, theta.w!), t)),
  };
}
