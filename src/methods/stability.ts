import { RevortError } from "../core/errors.js";
import type { Method } from "./method.js";
import type { Polynomial, StepMatrix } from "./step-matrix.js";
import type { Tableau } from "./tableaux.js";

// Linear stability: what a step does to y' = α y, in terms of x = α h.

/** A complex number: its real and imaginary parts. */
export type Complex = readonly [re: number, im: number];

/** A rectangle in the complex plane. */
export interface Box {
  readonly re: readonly [number, number];
  readonly im: readonly [number, number];
}

/** A method that does not apply to y' = α y. */
export class StabilityError extends RevortError {}

/**
 * The increment polynomial of a tableau: Ψ_h(y) = P(α h) y on y' = α y, with
 *
 *   P(x) = Σₖ (bᵀ Aᵏ⁻¹ 1) xᵏ   for k = 1 … s
 */
export function incrementPolynomial({ a, b }: Pick<Tableau, "a" | "b">): Polynomial {
  const coefficients = [0];
  let powers: readonly number[] = b.map(() => 1);
  for (let k = 1; k <= b.length; k++) {
    coefficients.push(b.reduce((sum, bi, i) => sum + bi * powers[i]!, 0));
    const last = powers;
    powers = a.map((row) => row.reduce((sum, aij, j) => sum + aij * last[j]!, 0));
  }
  return coefficients;
}

/** The plain method: y1 = (1 + P(x)) y0. */
export function plainMatrix(tableau: Tableau): StepMatrix {
  return [[plus([1], incrementPolynomial(tableau))]];
}

/**
 * The coupled method, on (y, z):
 *
 *   y1 = λ y0 + R z0,   z1 = −λ P(−x) y0 + (1 − P(−x) R) z0,   R = 1 − λ + P(x)
 *
 * Its determinant is λ, its trace λ + 1 − P(−x) R. For x < 0 the eigenvalues are about e^x and λ e^−x, so that it is
 * stable only while |x| ≤ −ln λ, whatever the tableau.
 */
export function coupledMatrix(tableau: Tableau, lambda: number): StepMatrix {
  const forth = incrementPolynomial(tableau);
  const back = forth.map((coefficient, k) => (k % 2 === 0 ? coefficient : -coefficient));
  const r = plus([1 - lambda], forth);
  return [
    [[lambda], r],
    [times([-lambda], back), plus([1], times([-1], times(back, r)))],
  ];
}

/** Determinant of a step matrix at x. */
export function determinantAt(matrix: StepMatrix, x: Complex): Complex {
  if (matrix.length === 1) return polynomialAt(matrix[0][0], x);
  const [[a, b], [c, d]] = matrix;
  return polynomialAt(plus(times(a, d), times([-1], times(b, c))), x);
}

/** Trace of a step matrix at x. */
export function traceAt(matrix: StepMatrix, x: Complex): Complex {
  return polynomialAt(matrix.length === 1 ? matrix[0][0] : plus(matrix[0][0], matrix[1][1]), x);
}

/**
 * The larger modulus of the eigenvalues (τ ± √(τ² − 4 δ)) / 2 of a step matrix at x, from its trace τ and
 * determinant δ.
 */
export function spectralRadius(matrix: StepMatrix, x: Complex): number {
  const [re, im] = traceAt(matrix, x);
  if (matrix.length === 1) return Math.hypot(re, im);
  const [dRe, dIm] = determinantAt(matrix, x);
  const [rootRe, rootIm] = squareRoot([re * re - im * im - 4 * dRe, 2 * re * im - 4 * dIm]);
  return Math.max(Math.hypot(re + rootRe, im + rootIm), Math.hypot(re - rootRe, im - rootIm)) / 2;
}

/**
 * By how much undoing a step magnifies an error of rounding where the field is 0: 1 over the smallest modulus of the
 * eigenvalues of the step at x = 0, which is their largest over that of the determinant. 1/λ for a coupled method,
 * 1 / |1 − 2 η| for the asynchronous leapfrog, and 1 for methods that keep areas.
 */
export function undoGrowth({ stepMatrix, coupling }: Pick<Method, "stepMatrix" | "coupling">): number {
  if (stepMatrix === undefined) return 1 / (coupling ?? 1);
  return spectralRadius(stepMatrix, [0, 0]) / Math.hypot(...determinantAt(stepMatrix, [0, 0]));
}

/** Whether a method damps y' = α y at x = α h: all eigenvalues of its step lie inside the unit circle. */
export function isStableAt(method: Method, x: Complex): boolean {
  return spectralRadius(stepMatrixOf(method), x) < 1;
}

/**
 * The area of the part of a box in which a method is stable, by counting the centres of a grid of cells.
 *
 * @param resolution  cells along each side
 * @throws {StabilityError} if the method does not apply to y' = α y
 */
export function stabilityArea(method: Method, { re, im }: Box, resolution: number): number {
  const matrix = stepMatrixOf(method);
  const [width, height] = [(re[1] - re[0]) / resolution, (im[1] - im[0]) / resolution];
  let stable = 0;
  for (let i = 0; i < resolution; i++) {
    for (let j = 0; j < resolution; j++) {
      if (spectralRadius(matrix, [re[0] + (i + 0.5) * width, im[0] + (j + 0.5) * height]) < 1) stable++;
    }
  }
  return stable * width * height;
}

function stepMatrixOf({ name, stepMatrix, linear }: Method): StepMatrix {
  if (stepMatrix !== undefined) return stepMatrix;
  if (linear !== undefined) {
    throw new StabilityError(
      `The method "${name}" solves a linear part exactly, so its stability depends on what is left of a field. ` +
        "Look at that of the method within.",
    );
  }
  throw new StabilityError(
    `The method "${name}" has no step on y' = α y, so it has no linear stability in this sense. ` +
      "Methods for split systems are for oscillations; look at them on one.",
  );
}

function plus(p: Polynomial, q: Polynomial): Polynomial {
  return Array.from({ length: Math.max(p.length, q.length) }, (_, k) => (p[k] ?? 0) + (q[k] ?? 0));
}

function times(p: Polynomial, q: Polynomial): Polynomial {
  const product = new Array<number>(p.length + q.length - 1).fill(0);
  p.forEach((pi, i) => {
    q.forEach((qj, j) => {
      product[i + j]! += pi * qj;
    });
  });
  return product;
}

/** By Horner's rule. */
function polynomialAt(p: Polynomial, [re, im]: Complex): Complex {
  return p.reduceRight<Complex>(
    ([sumRe, sumIm], coefficient) => [sumRe * re - sumIm * im + coefficient, sumRe * im + sumIm * re],
    [0, 0],
  );
}

/** The square root with a real part that is not negative. */
function squareRoot([re, im]: Complex): Complex {
  const modulus = Math.hypot(re, im);
  const half = Math.sqrt((modulus + Math.abs(re)) / 2);
  if (half === 0) return [0, 0];
  return re >= 0 ? [half, im / (2 * half)] : [Math.abs(im) / (2 * half), im < 0 ? -half : half];
}
