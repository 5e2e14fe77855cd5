/** λ as it was chosen, and why. */
export interface CouplingChoice {
  readonly coupling: number;
  /** the fastest damping of the field found along the solution, per unit of time */
  readonly damping: number;
  /** size of a step of the plain method, typically */
  readonly stepSize: number;
  readonly message: string;
}
