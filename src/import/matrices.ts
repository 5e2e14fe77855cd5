import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { UnsupportedOperatorError } from "../graph/model.js";
import { type Call, emit } from "./call.js";

// Functions of small square matrices, written out entry by entry: exact for the 2 × 2 to 4 × 4 that mass matrices are.

/** Larger ones need elimination with pivots, which is no graph of fixed shape worth having. */
const largest = 4;

/** det X of matrices [*, n, n] with n ≤ 4, by cofactors: Σⱼ (−1)ʲ x₀ⱼ det X₀ⱼ, of shape [*]. */
export function determinant(b: Builder, { inputs }: Call): Value {
  const entry = entriesOf(b, "Det", inputs[0]!);
  const all = rangeTo(inputs[0]!.shape.at(-1) as number);
  return minor(b, entry, all, all);
}

/** X⁻¹ of matrices [*, n, n] with n ≤ 4: (X⁻¹)ᵢⱼ = (−1)ⁱ⁺ʲ det Xⱼᵢ / det X. */
export function inverse(b: Builder, { inputs }: Call): Value {
  const x = inputs[0]!;
  const entry = entriesOf(b, "MatrixInverse", x);
  const all = rangeTo(x.shape.at(-1) as number);
  const whole = minor(b, entry, all, all);
  const rank = x.shape.length;
  const stack = (values: readonly Value[], axis: number) =>
    emit(
      b,
      "Concat",
      values.map((value) => emit(b, "Unsqueeze", [value, b.ints([axis])])),
      { axis },
    );
  const rows = all.map((i) =>
    stack(
      all.map((j) => {
        const rest = (without: number) => all.filter((k) => k !== without);
        const one = all.length === 1 ? emit(b, "Div", [whole, whole]) : minor(b, entry, rest(j), rest(i));
        return emit(b, "Div", [(i + j) % 2 === 0 ? one : emit(b, "Neg", [one]), whole]);
      }),
      rank - 2,
    ),
  );
  return stack(rows, rank - 2);
}

function rangeTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** @returns the entry in a row and a column, of shape [*] */
function entriesOf(b: Builder, op: string, x: Value): (row: number, column: number) => Value {
  const [rows, columns] = x.shape.slice(-2);
  if (x.shape.length < 2 || typeof rows !== "number" || rows !== columns || rows < 1 || rows > largest) {
    throw new UnsupportedOperatorError(
      `${op} of ${showType(x)} is not supported: it must be square matrices of at most ${largest} rows, [*, n, n]. ` +
        "Write what is larger as the solution of linear equations that the model computes itself.",
      op,
      "",
    );
  }
  const at = (value: Value, index: number, axis: number) =>
    emit(b, "Squeeze", [
      emit(b, "Slice", [value, b.ints([index]), b.ints([index + 1]), b.ints([axis])]),
      b.ints([axis]),
    ]);
  const rank = x.shape.length;
  return (row, column) => at(at(x, row, rank - 2), column, rank - 2);
}

/** The determinant of the part of a matrix in some rows and columns. */
function minor(
  b: Builder,
  entry: (row: number, column: number) => Value,
  rows: readonly number[],
  columns: readonly number[],
): Value {
  const [first, ...others] = rows;
  const terms = columns.map((column) => {
    const factor = entry(first!, column);
    if (others.length === 0) return factor;
    const rest = columns.filter((other) => other !== column);
    return emit(b, "Mul", [factor, minor(b, entry, others, rest)]);
  });
  return terms.reduce((sum, term, i) => emit(b, i % 2 === 0 ? "Add" : "Sub", [sum, term]));
}
