/**
 * An explicit Runge–Kutta method, as its Butcher tableau:
 *
 *   kᵢ = f(t + cᵢ h, y + h Σⱼ aᵢⱼ kⱼ),   Ψ_h(t, y) = h Σᵢ bᵢ kᵢ
 *
 * Stages that Ψ does not need are no rows: where a pair is "first same as last", its last stage f(t1, y1) is not
 * listed, and weights with one entry more than there are stages give that entry to it.
 */
export interface Tableau {
  /** as users type it */
  readonly name: string;
  /** of convergence: the global error is O(h^order) */
  readonly order: number;
  /** strictly lower triangle: row i holds aᵢ₀ … aᵢ,ᵢ₋₁ */
  readonly a: readonly (readonly number[])[];
  readonly b: readonly number[];
  readonly c: readonly number[];
  /**
   * m of an effectively symmetric method: a step of size h followed by one of size −h leads back but for O(h^(m+1))
   */
  readonly antisymmetricOrder?: number;
  /** the estimate of the local error by an embedded method, if there is one */
  readonly error?: EmbeddedError;
  /** the solution between t0 and t1; without one, a cubic through both ends */
  readonly dense?: DenseOutput;
}

/** The difference of two methods with the same stages, h Σᵢ eᵢ kᵢ with eᵢ = bᵢ − b̂ᵢ. */
export interface EmbeddedError {
  /** one per stage, and possibly one for f(t1, y1) */
  readonly weights: readonly number[];
  /** k where the estimate is O(h^k): one more than the order of b̂. Step sizes go with its 1/k-th power. */
  readonly order: number;
}

/** y(t0 + θ h) ≈ y0 + h Σᵢ bᵢ(θ) kᵢ for θ in [0, 1], with bᵢ(θ) = Σⱼ pᵢⱼ θʲ for j = 1, 2, … */
export interface DenseOutput {
  /** q where the error at fixed θ is O(h^(q+1)) */
  readonly order: number;
  /** pᵢ₁, pᵢ₂, … for each stage, and possibly for f(t1, y1) */
  readonly weights: readonly (readonly number[])[];
}

/**
 * Whether f(t1, y1) is among the stages of the pair ("first same as last"): it is the first stage of the next step.
 */
export function isFirstSameAsLast({ b, error, dense }: Tableau): boolean {
  return [error?.weights, dense?.weights].some(
    (weights) => weights !== undefined && weights.length > b.length,
  );
}
