import type { Tableau } from "./tableau.js";

// The textbook methods of order 1 to 4.

/** Euler's method. */
export const euler = { name: "euler", order: 1, a: [[]], b: [1], c: [0] } as const satisfies Tableau;

/** The explicit midpoint rule (Runge 1895). The embedded method is Euler's. */
export const midpoint = {
  name: "midpoint",
  order: 2,
  a: [[], [1 / 2]],
  b: [0, 1],
  c: [0, 1 / 2],
  error: { weights: [-1, 1], order: 2 },
} as const satisfies Tableau;

/** Heun's method of order 2, the explicit trapezoidal rule. The embedded method is Euler's. */
export const heun = {
  name: "heun",
  order: 2,
  a: [[], [1]],
  b: [1 / 2, 1 / 2],
  c: [0, 1],
  error: { weights: [-1 / 2, 1 / 2], order: 2 },
} as const satisfies Tableau;

/**
 * Ralston's method of order 2, with the least bound on its error (Ralston 1962): c₂ = ⅔, not the ¾ found in places.
 * The embedded method is Euler's.
 */
export const ralston = {
  name: "ralston",
  order: 2,
  a: [[], [2 / 3]],
  b: [1 / 4, 3 / 4],
  c: [0, 2 / 3],
  error: { weights: [-3 / 4, 3 / 4], order: 2 },
} as const satisfies Tableau;

/** Ralston's method of order 3, with the least bound on its error (Ralston 1962). */
export const ralston3 = {
  name: "ralston3",
  order: 3,
  a: [[], [1 / 2], [0, 3 / 4]],
  b: [2 / 9, 1 / 3, 4 / 9],
  c: [0, 1 / 2, 3 / 4],
} as const satisfies Tableau;

/** Strong-stability-preserving, of order 3 (Shu & Osher 1988). The embedded method is Heun's. */
export const ssprk3 = {
  name: "ssprk3",
  order: 3,
  a: [[], [1], [1 / 4, 1 / 4]],
  b: [1 / 6, 1 / 6, 2 / 3],
  c: [0, 1, 1 / 2],
  error: { weights: [1 / 6 - 1 / 2, 1 / 6 - 1 / 2, 2 / 3], order: 3 },
} as const satisfies Tableau;

/**
 * Bogacki & Shampine's pair of order 3(2): the step of Ralston's third-order method; the estimate takes f(t1, y1) in.
 *
 * @see Bogacki & Shampine 1989, "A 3(2) pair of Runge–Kutta formulas"
 */
export const bosh3 = {
  name: "bosh3",
  order: 3,
  a: [[], [1 / 2], [0, 3 / 4]],
  b: [2 / 9, 1 / 3, 4 / 9],
  c: [0, 1 / 2, 3 / 4],
  error: { weights: [2 / 9 - 7 / 24, 1 / 3 - 1 / 4, 4 / 9 - 1 / 3, -1 / 8], order: 3 },
} as const satisfies Tableau;

/** The classic method of order 4 (Kutta 1901). */
export const rk4 = {
  name: "rk4",
  order: 4,
  a: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  b: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
  c: [0, 1 / 2, 1 / 2, 1],
} as const satisfies Tableau;

/** The 3/8 rule (Kutta 1901); torchdiffeq's `rk4` is this one. */
export const rk38 = {
  name: "rk38",
  order: 4,
  a: [[], [1 / 3], [-1 / 3, 1], [1, -1, 1]],
  b: [1 / 8, 3 / 8, 3 / 8, 1 / 8],
  c: [0, 1 / 3, 2 / 3, 1],
} as const satisfies Tableau;
