import { RevortError } from "../core/errors.js";
import type { FloatDType } from "../core/tensor.js";
import { tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { mul } from "../ops/arithmetic.js";
import { exp } from "../ops/elementwise.js";
import { matmul } from "../ops/linalg.js";

/** A linear part that is no diagonal matrix in an orthonormal basis of the state. */
export class LinearPartError extends RevortError {}

/**
 * A linear part A of a field, which acts along the last axis of a state. It is symmetric:
 *
 *   A = Q diag(rates) Qᵀ
 */
export interface LinearPart {
  /** the eigenvalues of A, per unit of time: one for all components, or one for each */
  readonly rates: number | readonly number[];
  /** Q by rows: its k-th column is the eigenvector of the k-th rate. Without it, A is diagonal. */
  readonly basis?: readonly (readonly number[])[];
}

/** e^(A s) y, for a scalar s and y [..., n] */
export function flow(b: Builder, linear: LinearPart, s: Value, y: Value): Value {
  if (s.constant !== null && Number(s.constant.data[0]) === 0) return y;
  return inBasis(b, linear, y, (x) => mul(b, x, exp(b, mul(b, ratesOf(b, linear, y), s))));
}

/** A y, for y [..., n] */
export function applied(b: Builder, linear: LinearPart, y: Value): Value {
  return inBasis(b, linear, y, (x) => mul(b, x, ratesOf(b, linear, y)));
}

/** @throws {LinearPartError} for rates that are not finite, or a basis that is not orthonormal */
export function checkLinearPart({ rates, basis }: LinearPart): void {
  const all = typeof rates === "number" ? [rates] : rates;
  if (all.length === 0 || !all.every(Number.isFinite)) {
    throw new LinearPartError(`The rates of a linear part must be finite numbers, not ${all.join(", ")}.`);
  }
  if (basis === undefined) return;
  const n = basis.length;
  if (basis.some((row) => row.length !== n) || (typeof rates !== "number" && rates.length !== n)) {
    throw new LinearPartError(
      `The basis of a linear part must be a square matrix with a column for each rate, but has ${n} rows of ` +
        `${[...new Set(basis.map((row) => row.length))].join(", ")}, and there are ${all.length} rates.`,
    );
  }
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      const product = basis.reduce((sum, row) => sum + row[i]! * row[j]!, 0);
      // of n products of numbers up to 1, each rounded
      if (Math.abs(product - (i === j ? 1 : 0)) <= 1e-10) continue;
      throw new LinearPartError(
        `The basis of a linear part must be orthonormal, but its columns ${i} and ${j} have the product ${product}.`,
      );
    }
  }
}

/** A linear part as users type it: its rates, separated by commas. */
export function showRates({ rates }: LinearPart): string {
  return typeof rates === "number" ? String(rates) : rates.join(",");
}

/** Q scale(Qᵀ y), with y a row, so that matrices stand on its right */
function inBasis(b: Builder, { basis }: LinearPart, y: Value, scale: (x: Value) => Value): Value {
  if (basis === undefined) return scale(y);
  const n = basis.length;
  const matrix = (rows: readonly (readonly number[])[]) =>
    b.constant(tensor(y.dtype as FloatDType, [n, n], rows.flat()));
  const transposed = basis.map((_, i) => basis.map((row) => row[i]!));
  return matmul(b, scale(matmul(b, y, matrix(basis))), matrix(transposed));
}

/** @throws {LinearPartError} unless there is one rate for all components of y, or one for each */
function ratesOf(b: Builder, { rates }: LinearPart, y: Value): Value {
  const dtype = y.dtype as FloatDType;
  if (typeof rates === "number") return b.scalar(dtype, rates);
  if (y.shape.at(-1) !== rates.length) {
    throw new LinearPartError(
      `A linear part with ${rates.length} rates takes states of as many components, not ${showType(y)}. ` +
        "Give one rate for all, or one for each.",
    );
  }
  return b.constant(tensor(dtype, [rates.length], rates));
}
