import type { FloatDType } from "../core/tensor.js";
import { isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { lessOrEqual, where } from "../ops/logic.js";

/**
 * The error of reconstructed states, relative to the largest of them, past which a gradient by reconstruction is not used:
 * about that of the gradient. In float64, what `gradcheck` asks of gradients; in float32, what its rounding leaves of
 * the gradient of a long solve anyway.
 */
export const reconstructionLimit: Readonly<Record<FloatDType, number>> = { float64: 1e-6, float32: 1e-3 };

/**
 * Cotangents that came by undoing steps, or NaN where the states did not come back: whoever watches the error says what to do,
 * and where nobody can, as in the loop of a model, the gradient is not a number rather than a wrong one.
 *
 * @param error  relative, a scalar
 * @param limit  of it
 */
export function unlessLost(
  b: Builder,
  error: Value,
  cotangents: readonly (Value | null)[],
  limit = reconstructionLimit[error.dtype as FloatDType],
): (Value | null)[] {
  const back = lessOrEqual(b, error, b.scalar(error.dtype, limit));
  return cotangents.map((cotangent) =>
    cotangent === null || !isFloat(cotangent.dtype)
      ? cotangent
      : where(b, back, cotangent, b.scalar(cotangent.dtype, Number.NaN)),
  );
}
