import type { Tensor } from "../core/tensor.js";
import { type Branch, leavesOf, mapTree } from "../core/tree.js";
import type { SampledType } from "../programs/objective.js";

// Samples on the host: trees of tensors, with samples along an axis that their types name.

/** The given trajectories, or samples, of a tensor that has them along `axis`. */
export function takenAlong(value: Tensor, axis: number, which: readonly number[]): Tensor {
  const outer = value.shape.slice(0, axis).reduce((p, d) => p * d, 1);
  const inner = value.shape.slice(axis + 1).reduce((p, d) => p * d, 1);
  const count = value.shape[axis]!;
  const shape = value.shape.map((dim, i) => (i === axis ? which.length : dim));
  const source = value.data as Float64Array;
  const data = new (source.constructor as Float64ArrayConstructor)(outer * which.length * inner);
  for (let o = 0; o < outer; o++) {
    for (const [i, index] of which.entries()) {
      const from = (o * count + index) * inner;
      data.set(source.subarray(from, from + inner), (o * which.length + i) * inner);
    }
  }
  return { dtype: value.dtype, shape, data } as Tensor;
}

/** Samples of a tree, by their indices. @param types  say along which axis they lie; what has none is taken whole */
export function takenOf(types: Branch, tree: Branch, which: readonly number[]): Branch {
  const values = leavesOf<Tensor>(tree);
  let next = 0;
  return mapTree(types, (leaf) => {
    const value = values[next++]!;
    const { axis } = leaf as Partial<SampledType>;
    return axis === undefined ? value : takenAlong(value, axis, which);
  });
}

/** Trees of samples, one after the other. */
export function joined(types: Branch, trees: readonly Branch[]): Branch {
  if (trees.length === 1) return trees[0]!;
  const lists = trees.map((tree) => leavesOf<Tensor>(tree));
  let next = 0;
  return mapTree(types, (leaf) => {
    const own = next++;
    return joinedAlong(
      lists.map((list) => list[own]!),
      (leaf as SampledType).axis,
    );
  });
}

/** Tensors side by side along an axis. */
export function joinedAlong(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts as [Tensor];
  const outer = first.shape.slice(0, axis).reduce((p, d) => p * d, 1);
  const inner = first.shape.slice(axis + 1).reduce((p, d) => p * d, 1);
  const count = parts.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const data = new (first.data.constructor as Float64ArrayConstructor)(outer * count * inner);
  let at = 0;
  for (const { shape, data: own } of parts) {
    const size = shape[axis]! * inner;
    for (let o = 0; o < outer; o++) {
      data.set((own as Float64Array).subarray(o * size, (o + 1) * size), o * count * inner + at);
    }
    at += size;
  }
  return { dtype: first.dtype, shape: first.shape.map((d, a) => (a === axis ? count : d)), data } as Tensor;
}
