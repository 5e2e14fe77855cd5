/** Something unreliable about a solution that was reached all the same. */
export interface SolveWarning {
  readonly code: WarningCode;
  readonly message: string;
}

export type WarningCode = "drift" | "reconstruction" | "stability" | "tolerance" | "times";
