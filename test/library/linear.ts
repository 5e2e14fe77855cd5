import { tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { matmul } from "../../src/ops/linalg.js";

/** y' = A y, of which the exact solution is known. */
export function linear(a: readonly (readonly number[])[]): VectorField {
  const dim = a.length;
  const transposed = Array.from({ length: dim * dim }, (_, i) => a[i % dim]![Math.floor(i / dim)]!);
  return {
    name: "linear",
    state: ["batch", dim],
    parameters: {},
    apply: (b, _theta, _t, y) => matmul(b, y, b.constant(tensor(y.dtype, [dim, dim], transposed))),
  };
}
