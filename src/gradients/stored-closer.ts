import type { FloatDType } from "../core/tensor.js";
import type { Method } from "../methods/method.js";
import type { SolvesInTraining } from "../nn/layer.js";
import { type GradientMethod, showGradientMethod } from "./method.js";
import { ReconstructionError, refreshedCloser } from "./reconstruction-limit.js";

/** The gradient of a part of a model, with states stored as close as updates have needed it so far. */
export function storedCloser(
  of: { readonly method: Pick<Method, "name" | "coupling" | "undoneTo">; readonly dtype: FloatDType },
  chosen: GradientMethod,
  steps: number,
  training: SolvesInTraining | null,
): GradientMethod {
  const { lost = [], stored } = training ?? {};
  if (chosen.kind !== "reversible" || lost.length === 0) return chosen;
  let gradient: GradientMethod = chosen;
  try {
    for (const error of lost) gradient = refreshedCloser({ ...of, gradient }, steps, error);
    stored?.(showGradientMethod(gradient));
  } catch (error) {
    if (!(error instanceof ReconstructionError)) throw error;
    stored?.(error);
  }
  return gradient;
}
