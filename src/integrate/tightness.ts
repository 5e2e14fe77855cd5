import type { Control } from "../control/control.js";
import { epsilon } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";

/** What is wrong with tolerances that ask for more than a dtype has; `null` if nothing is. @param size  of y */
export function tightness(control: Control, dtype: FloatDType, size: number): string | null {
  const least = 10 * epsilon[dtype];
  if (control.kind !== "pid" || control.rtol >= least || control.atol >= least * size) return null;
  return (
    `The tolerances rtol ${control.rtol} and atol ${control.atol} are below the rounding of ${dtype}, so that the steps ` +
    `follow noise. Loosen them${dtype === "float32" ? ", or solve in float64" : ""}.`
  );
}
