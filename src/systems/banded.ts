/** A tridiagonal matrix by rows: what stands before, on and after the diagonal. */
export type TridiagonalRow = readonly [below: number, diagonal: number, above: number];

/** Entries of an inverse that are smaller than this beside its diagonal add less than rounding does. */
const negligible = 2 ** -60;

/**
 * The inverse of a tridiagonal matrix whose diagonal dominates, near its diagonal: row i holds the entries of the columns from
 * `from[i]` on. Away from the diagonal they fall at least by half from one to the next (where |dᵢ| ≥ 2 (|bᵢ| + |aᵢ|), as in a
 * spline), so what is left out is less than the rounding of what is there, and there are no more than some sixty to either side.
 *
 * With pᵢ = dᵢ − bᵢ aᵢ₋₁ / pᵢ₋₁ from the first row on and qᵢ = dᵢ − aᵢ bᵢ₊₁ / qᵢ₊₁ from the last,
 *
 *   vᵢᵢ = 1 / (pᵢ + qᵢ − dᵢ),   vᵢ,ⱼ₊₁ = −vᵢⱼ aⱼ / qⱼ₊₁,   vᵢ,ⱼ₋₁ = −vᵢⱼ bⱼ / pⱼ₋₁
 */
export function inverseNearDiagonal(rows: readonly TridiagonalRow[]): {
  readonly from: readonly number[];
  readonly entries: readonly (readonly number[])[];
} {
  const count = rows.length;
  const p = rows.map(([, diagonal]) => diagonal);
  const q = [...p];
  for (let i = 1; i < count; i++) p[i] = rows[i]![1] - (rows[i]![0] * rows[i - 1]![2]) / p[i - 1]!;
  for (let i = count - 2; i >= 0; i--) q[i] = rows[i]![1] - (rows[i]![2] * rows[i + 1]![0]) / q[i + 1]!;
  const from: number[] = [];
  const entries = rows.map(([, diagonal], i) => {
    const own = 1 / (p[i]! + q[i]! - diagonal);
    const after: number[] = [];
    for (let j = i, v = own; j + 1 < count && Math.abs(v) > negligible * own; j++) {
      v *= -rows[j]![2] / q[j + 1]!;
      after.push(v);
    }
    const before: number[] = [];
    for (let j = i, v = own; j > 0 && Math.abs(v) > negligible * own; j--) {
      v *= -rows[j]![0] / p[j - 1]!;
      before.push(v);
    }
    from.push(i - before.length);
    return [...before.reverse(), own, ...after];
  });
  return { from, entries };
}
