import { sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { zerosLike } from "../ops/generate.js";
import { matmul, swapLast } from "../ops/linalg.js";
import { reshape, squeeze, unsqueeze } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { concat } from "../ops/slicing.js";

// States as vectors, [batch, d], and the last m of them as rows of a matrix for each sample, [batch, m, d].

/** [batch, …] as [batch, d] */
export function flat(b: Builder, x: Value): Value {
  return reshape(b, x, [-1, sizeOf(x.shape.slice(1) as number[])]);
}

/** [batch, d] in the shape of a state */
export function likeState(b: Builder, x: Value, state: Value): Value {
  return reshape(b, x, [-1, ...(state.shape.slice(1) as number[])]);
}

/** m rows of zeros, [batch, m, d]: as many as there are samples in x [batch, d] */
export function noRows(b: Builder, x: Value, m: number): Value {
  const row = unsqueeze(b, zerosLike(b, x), [1]);
  return concat(
    b,
    Array.from({ length: m }, () => row),
    1,
  );
}

/** The rows with a new one at the end, the oldest forgotten. */
export function withRow(b: Builder, rows: Value, x: Value): Value {
  const m = rows.shape[1] as number;
  const row = unsqueeze(b, x, [1]);
  return m === 1 ? row : concat(b, [slice(b, rows, 1, 1, m), row], 1);
}

/** R x: the products of the rows with a vector, [batch, m] */
export function products(b: Builder, rows: Value, x: Value): Value {
  return squeeze(b, matmul(b, rows, unsqueeze(b, x, [2])), [2]);
}

/** Rᵀ w: the rows weighted and added up, [batch, d] */
export function combined(b: Builder, rows: Value, weights: Value): Value {
  return squeeze(b, matmul(b, unsqueeze(b, weights, [1]), rows), [1]);
}

/** R Rᵀ, [batch, m, m] */
export function gram(b: Builder, rows: Value): Value {
  return matmul(b, rows, swapLast(b, rows));
}
