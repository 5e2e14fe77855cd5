// Small symmetric systems on the host, as least squares in a handful of parameters need them.

/** A symmetric matrix, row by row. */
export type SymmetricMatrix = readonly (readonly number[])[];

/** L with A = L Lᵀ; `null` unless A is positive definite to rounding. */
export function choleskyOf(a: SymmetricMatrix): number[][] | null {
  const l = a.map(() => new Array<number>(a.length).fill(0));
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i]![j]!;
      for (let k = 0; k < j; k++) sum -= l[i]![k]! * l[j]![k]!;
      // what cancels to rounding is no pivot
      if (i === j && !(sum > smallestPivot * a[i]![i]!)) return null;
      l[i]![j] = i === j ? Math.sqrt(sum) : sum / l[j]![j]!;
    }
  }
  return l;
}

/** Of a pivot, relative to its diagonal element: twice the digits of a float64 are gone below it. */
const smallestPivot = 1e-14;

/** x with L Lᵀ x = b. */
export function solveWithCholesky(l: readonly (readonly number[])[], b: readonly number[]): number[] {
  const x = [...b];
  for (let i = 0; i < x.length; i++) {
    for (let k = 0; k < i; k++) x[i]! -= l[i]![k]! * x[k]!;
    x[i]! /= l[i]![i]!;
  }
  for (let i = x.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < x.length; k++) x[i]! -= l[k]![i]! * x[k]!;
    x[i]! /= l[i]![i]!;
  }
  return x;
}

/** A⁻¹ of a positive definite matrix, scaled to a unit diagonal first; `null` if it is singular to rounding. */
export function inverseOf(a: SymmetricMatrix): number[][] | null {
  const size = a.map((row, i) => Math.sqrt(row[i]!));
  if (!size.every((s) => s > 0)) return null;
  const l = choleskyOf(a.map((row, i) => row.map((value, j) => value / (size[i]! * size[j]!))));
  if (l === null) return null;
  return a.map((_, j) => {
    const unit = a.map((__, i) => (i === j ? 1 : 0));
    return solveWithCholesky(l, unit).map((value, i) => value / (size[i]! * size[j]!));
  });
}
