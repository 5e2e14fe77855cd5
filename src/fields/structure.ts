import type { Tensor } from "../core/tensor.js";

// What can be seen of an array's numbers without knowing their use: blocks that programs are built from, and copies.

/** What kind of block an array is, in words; `null` for numbers that look like a model's. One number is no block. */
export function patternOf(tensor: Tensor): string | null {
  const values = tensor.data as Float64Array;
  if (values.length < 2) return null;
  const first = values[0]!;
  if (values.every((value) => value === first))
    return first === 0 ? "all zero" : `the same number throughout (${first})`;
  const dims = tensor.shape.filter((dim) => dim > 1);
  if (dims.length !== 2) return null;
  const [rows, columns] = dims as [number, number];
  const diagonal =
    rows === columns && values.every((value, i) => value === (i % (columns + 1) === 0 ? first : 0));
  if (diagonal) return first === 1 ? "an identity" : `${first} times an identity`;
  const perRow = new Array<number>(rows).fill(0);
  for (const [i, value] of values.entries()) {
    if (value === 0) continue;
    if (Math.abs(value) !== 1) return null;
    perRow[Math.floor(i / columns)]! += 1;
  }
  return perRow.every((count) => count <= 1) ? "a selection (of 0, 1 and −1, one in a row at most)" : null;
}

/** How one array is another one: as it is in another shape, or transposed. */
export type Copy = "reshaped" | "transposed";

/** How b is a copy of a; `null` if it is none. Blocks and single numbers are copies of nothing. */
export function copyOf(a: Tensor, b: Tensor): Copy | null {
  if (a.dtype !== b.dtype || a.data.length !== b.data.length || patternOf(a) !== null || a.data.length < 2) {
    return null;
  }
  if (a.data.every((value, i) => value === b.data[i])) return "reshaped";
  if (a.shape.length !== 2 || b.shape.length !== 2) return null;
  const [rows, columns] = a.shape as [number, number];
  if (b.shape[0] !== columns || b.shape[1] !== rows) return null;
  const isIt = a.data.every((value, i) => value === b.data[(i % columns) * rows + Math.floor(i / columns)]);
  return isIt ? "transposed" : null;
}

/** What copies have in common: equal keys are no more than a hint. */
export function copyKey({ dtype, data }: Tensor): string {
  return `${dtype} ${data.length} ${data[0]} ${data[data.length - 1]}`;
}
