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
  // permutations, symplectic forms, masks: weights are not all of one size, but for 2 × 2 that are antisymmetric
  const one = values.find((value) => value !== 0)!;
  const isOfOneSize = values.every(
    (value) => value === 0 || value === one || (one ** 2 === 1 && value === -one),
  );
  if (!isOfOneSize || !values.includes(0)) return null;
  return `made of 0 and ${one ** 2 === 1 ? "±1" : one} only`;
}
