import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { accumulate, mul } from "../ops/arithmetic.js";
import type { Operand } from "../ops/operand.js";

// Cotangents, of which absent ones are zero.

/** Σᵢ x̄ᵢ */
export function sumOf(b: Builder, terms: readonly (Value | null | undefined)[]): Value | null {
  return terms.reduce<Value | null>((total, term) => accumulate(b, total, term ?? null), null);
}

/** c x̄ */
export function scaled(b: Builder, cotangent: Value | null | undefined, factor: Operand): Value | null {
  return cotangent && factor !== 0 ? mul(b, cotangent, factor) : null;
}
