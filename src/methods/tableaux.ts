/**
 * An explicit Runge–Kutta method, as its Butcher tableau:
 *
 *   kᵢ = f(t + cᵢ h, y + h Σⱼ aᵢⱼ kⱼ),   Ψ_h(t, y) = h Σᵢ bᵢ kᵢ
 *
 * Adding a solver is adding one record to this file; the tests measure its order.
 */
export interface Tableau {
  readonly name: string;
  /** of convergence: the global error is O(h^order) */
  readonly order: number;
  /** strictly lower triangle: row i holds aᵢ₀ … aᵢ,ᵢ₋₁ */
  readonly a: readonly (readonly number[])[];
  readonly b: readonly number[];
  readonly c: readonly number[];
}

/** Euler's method. */
export const euler = { name: "euler", order: 1, a: [[]], b: [1], c: [0] } as const satisfies Tableau;

/** The explicit midpoint rule (Runge 1895). */
export const midpoint = {
  name: "midpoint",
  order: 2,
  a: [[], [1 / 2]],
  b: [0, 1],
  c: [0, 1 / 2],
} as const satisfies Tableau;

/** Heun's method of order 2, the explicit trapezoidal rule. */
export const heun = {
  name: "heun",
  order: 2,
  a: [[], [1]],
  b: [1 / 2, 1 / 2],
  c: [0, 1],
} as const satisfies Tableau;

/** Ralston's method of order 3, with the least bound on its error (Ralston 1962). */
export const ralston3 = {
  name: "ralston3",
  order: 3,
  a: [[], [1 / 2], [0, 3 / 4]],
  b: [2 / 9, 1 / 3, 4 / 9],
  c: [0, 1 / 2, 3 / 4],
} as const satisfies Tableau;

/** The classic method of order 4 (Kutta 1901). */
export const rk4 = {
  name: "rk4",
  order: 4,
  a: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  b: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
  c: [0, 1 / 2, 1 / 2, 1],
} as const satisfies Tableau;

/** All tableaux, for command lines and tests. */
export const tableaux: readonly Tableau[] = [euler, midpoint, heun, ralston3, rk4];
