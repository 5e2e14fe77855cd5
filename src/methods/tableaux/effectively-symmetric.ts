import type { Tableau } from "./tableau.js";

// Explicit and effectively symmetric methods: a step of size h followed by one of size −h leads back but for O(h^(m+1)),
// with an m that is far above the order of the method itself. In each the embedded method is Euler's.

const { SQRT2: r } = Math;

/**
 * EES(2, 5) with the free parameter x = 1/10: order 2, three stages, and back but for O(h^6). On y' = α y it is stable on the negative real
 * axis down to α h = −3.09, and nearly neutral on the imaginary one: |y| grows by (α h)⁶ / 128 in a step.
 *
 * @see Shmelev & Salvi 2025, "Explicit and effectively symmetric schemes for neural SDEs", arXiv:2509.20599
 */
export const ees25 = {
  name: "ees25",
  order: 2,
  antisymmetricOrder: 5,
  a: [[], [1 / 3], [-5 / 48, 15 / 16]],
  b: [1 / 10, 1 / 2, 2 / 5],
  c: [0, 1 / 3, 5 / 6],
  error: { weights: [1 / 10 - 1, 1 / 2, 2 / 5], order: 2 },
} as const satisfies Tableau;

/** EES(2, 7): order 2, four stages, and back but for O(h^8). @see Shmelev & Salvi 2025, arXiv:2509.20599 */
export const ees27 = {
  name: "ees27",
  order: 2,
  antisymmetricOrder: 7,
  a: [
    [],
    [(2 - r) / 3],
    [(-4 + r) / 24, (4 + r) / 8],
    [(-176 + 145 * r) / 168, (3 * (8 - 5 * r)) / 56, (3 * (3 - r)) / 7],
  ],
  b: [(5 - 3 * r) / 14, (3 + r) / 14, (3 * (-1 + 2 * r)) / 14, (9 - 4 * r) / 14],
  c: [0, (2 - r) / 3, (-4 + r) / 24 + (4 + r) / 8, (4 + r) / 6],
  error: {
    weights: [(5 - 3 * r) / 14 - 1, (3 + r) / 14, (3 * (-1 + 2 * r)) / 14, (9 - 4 * r) / 14],
    order: 2,
  },
} as const satisfies Tableau;
