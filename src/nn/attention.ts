import { tensor } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { add, mul } from "../ops/arithmetic.js";
import { matmul } from "../ops/linalg.js";
import { reshape, transpose } from "../ops/reshape.js";
import { split } from "../ops/slicing.js";
import { softmax } from "../ops/softmax.js";
import { fanIn, filled, xavier } from "./initial.js";
import { type Layer, LayerError } from "./layer.js";
import { affine, checkWidths } from "./linear.js";

export interface AttentionOptions {
  /** each position sees only itself and those before it */
  readonly causal?: boolean;
}

/** Attention of one sequence to another; applied to one, it attends to itself. */
export interface AttentionLayer extends Layer {
  /** @param query  [batch, n, width] @param key, value  [batch, m, width] */
  readonly attend: (b: Builder, theta: Values, query: Value, key: Value, value: Value) => Value;
}

/**
 * Multi-head attention on [batch, length, width]: in each head, with projections Q, K, V of width d = width / heads,
 *
 *   softmax(Q Kᵀ / √d) V,
 *
 * the heads side by side, and a linear layer at the end.
 *
 * @throws {LayerError} if the heads do not divide the width
 * @see torch.nn.MultiheadAttention with batch_first; Vaswani et al. 2017, arXiv:1706.03762
 */
export function multiHeadAttention(
  width: number,
  heads: number,
  { causal = false }: AttentionOptions = {},
): AttentionLayer {
  checkWidths("multiHeadAttention", width, heads);
  if (width % heads !== 0) {
    throw new LayerError(`multiHeadAttention cannot divide a width of ${width} among ${heads} heads.`);
  }
  const each = width / heads;
  /** [batch, length, width] to [batch, heads, length, each] */
  const apart = (b: Builder, x: Value) =>
    transpose(b, reshape(b, x, [-1, lengthOf(x), heads, each]), [0, 2, 1, 3]);
  const attend: AttentionLayer["attend"] = (b, theta, query, key, value) => {
    const [length] = [query, key, value].map(lengthOf) as [number, number, number];
    const weights = split(b, theta.in_proj_weight!, 0, [width, width, width]);
    const biases = split(b, theta.in_proj_bias!, 0, [width, width, width]);
    const [q, k, v] = [query, key, value].map((x, i) => apart(b, affine(b, x, weights[i]!, biases[i]!))) as [
      Value,
      Value,
      Value,
    ];
    const scores = mul(b, matmul(b, q, transpose(b, k, [0, 1, 3, 2])), 1 / Math.sqrt(each));
    const seen = causal ? add(b, scores, future(b, scores)) : scores;
    const mixed = transpose(b, matmul(b, softmax(b, seen, -1), v), [0, 2, 1, 3]);
    const together = reshape(b, mixed, [-1, length, width]);
    return affine(b, together, theta["out_proj.weight"]!, theta["out_proj.bias"]!);
  };
  return {
    parameters: {
      in_proj_weight: xavier([3 * width, width], width, 3 * width),
      in_proj_bias: filled([3 * width], 0),
      "out_proj.weight": fanIn([width, width], width),
      "out_proj.bias": filled([width], 0),
    },
    attend,
    apply: (b, theta, x) => attend(b, theta, x, x, x),
  };
}

function lengthOf(x: Value): number {
  const length = x.shape[1];
  if (x.shape.length === 3 && typeof length === "number") return length;
  throw new LayerError(
    `Attention takes [batch, length, width] of a known length, but was given ${showType(x)}.`,
  );
}

/** −∞ where a position would see a later one. */
function future(b: Builder, scores: Value): Value {
  const [n, m] = scores.shape.slice(-2) as [number, number];
  const mask = Array.from({ length: n * m }, (_, i) =>
    i % m > Math.floor(i / m) ? Number.NEGATIVE_INFINITY : 0,
  );
  return b.constant(tensor(scores.dtype, [n, m], mask));
}
