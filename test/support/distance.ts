import { expect } from "chai";
import { numbers, type Tensor } from "../../src/core/tensor.js";
import type { Tensors } from "../../src/fields/field.js";

/** The largest |x − y|, relative to the largest |y|. NaN wherever one of both is NaN. */
export function distance(x: Iterable<number>, y: Iterable<number>): number {
  const [xs, ys] = [[...x], [...y]];
  expect(xs.length).to.equal(ys.length);
  let difference = 0;
  let size = 0;
  for (const [i, value] of ys.entries()) {
    const gap = Math.abs(xs[i]! - value);
    if (Number.isNaN(gap)) return Number.NaN;
    difference = Math.max(difference, gap);
    size = Math.max(size, Math.abs(value));
  }
  return difference === 0 ? 0 : difference / size;
}

/** The same of two tensors of one shape. */
export function tensorDistance(x: Tensor, y: Tensor): number {
  expect(x.shape).to.deep.equal(y.shape);
  return distance(numbers(x), numbers(y));
}

/** The same of all the numbers of two sets of tensors with the same names, as one long vector. */
export function tensorsDistance(x: Tensors, y: Tensors): number {
  expect(Object.keys(x).sort()).to.deep.equal(Object.keys(y).sort());
  const all = (tensors: Tensors) => Object.keys(y).flatMap((name) => numbers(tensors[name]!));
  return distance(all(x), all(y));
}
