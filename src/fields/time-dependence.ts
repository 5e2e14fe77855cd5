import type { FloatDType } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import { usesIn } from "../graph/uses.js";
import type { VectorField } from "./field.js";

/**
 * Whether f(t, y; θ) depends on t: whether its graph leads from t to dy/dt.
 *
 * @param state  shape of y; the field's own by default, with a batch of 1
 * @param time  shape of t, where it is not one number
 */
export function dependsOnTime(
  field: VectorField,
  dtype: FloatDType,
  state: readonly number[] = field.state.map((dim) => (typeof dim === "string" ? 1 : dim)),
  time: readonly number[] = [],
): boolean {
  const b = new Builder();
  const parameters = Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }]) => [
      name,
      b.input(`parameters/${name}`, dtype, shape),
    ]),
  );
  const t = b.input("t", dtype, time);
  const slope = field.apply(b, parameters, t, b.input("y", dtype, state));
  return usesIn(b.graph({ slope }, field.name)).has(t);
}
