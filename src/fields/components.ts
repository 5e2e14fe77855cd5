import { sizeOf } from "../core/tensor.js";
import type { VectorField } from "./field.js";

/** The names of the components of a state, made up where the field has none. */
export function componentNames({ components, state }: Pick<VectorField, "components" | "state">): string[] {
  const size = sizeOf(state.slice(typeof state[0] === "string" ? 1 : 0) as number[]);
  return Array.from({ length: size }, (_, i) => components?.[i] ?? `y${i}`);
}
