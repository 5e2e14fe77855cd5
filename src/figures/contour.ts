/** A curve as points; NaN separates its pieces. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/**
 * The level curve f(x, y) = level over a grid, by marching squares with linear interpolation along the edges: one
 * segment per crossing, so that lines can be drawn without being joined.
 *
 * @param values  f at the grid points, [xs][ys]
 */
export function levelCurve(
  xs: readonly number[],
  ys: readonly number[],
  values: readonly (readonly number[])[],
  level: number,
): Curve {
  const x: number[] = [];
  const y: number[] = [];
  for (let i = 0; i + 1 < xs.length; i++) {
    for (let j = 0; j + 1 < ys.length; j++) {
      const corners = [
        [i, j],
        [i + 1, j],
        [i + 1, j + 1],
        [i, j + 1],
      ] as const;
      const crossings = corners.flatMap(([i0, j0], k) => {
        const [i1, j1] = corners[(k + 1) % 4]!;
        const [low, high] = [values[i0]![j0]! - level, values[i1]![j1]! - level];
        if (low < 0 === high < 0) return [];
        const share = low / (low - high);
        return [[xs[i0]! + share * (xs[i1]! - xs[i0]!), ys[j0]! + share * (ys[j1]! - ys[j0]!)] as const];
      });
      for (let k = 0; k + 1 < crossings.length; k += 2) {
        x.push(crossings[k]![0], crossings[k + 1]![0], Number.NaN);
        y.push(crossings[k]![1], crossings[k + 1]![1], Number.NaN);
      }
    }
  }
  return { x, y };
}
