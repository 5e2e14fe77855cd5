import type { Tableau } from "../../src/methods/tableaux.js";

/** dy/dt = f(t, y), in plain numbers. */
export type PlainField = (t: number, y: readonly number[]) => readonly number[];

/** Ψ_h(t, y) of a tableau, by the textbook's formula in plain float64. */
export function plainIncrement(
  { a, b, c }: Tableau,
  f: PlainField,
  h: number,
  t: number,
  y: readonly number[],
) {
  const stages: (readonly number[])[] = [];
  for (const [i, row] of a.entries()) {
    const at = y.map(
      (value, n) => value + h * row.reduce((sum, weight, j) => sum + weight * stages[j]![n]!, 0),
    );
    stages.push(f(t + c[i]! * h, at));
  }
  return y.map((_, n) => h * b.reduce((sum, weight, i) => sum + weight * stages[i]![n]!, 0));
}
