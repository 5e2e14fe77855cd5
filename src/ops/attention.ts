import { ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Attributes, type Dim, GraphError, showType, type Value } from "../graph/graph.js";
import { dtypeOfNumber } from "../graph/types.js";
import { add, div, mul, sub } from "./arithmetic.js";
import { expand } from "./broadcast.js";
import { range } from "./generate.js";
import { matmul } from "./linalg.js";
import { equal, less, lessOrEqual, where } from "./logic.js";
import { intOf } from "./operand.js";
import { tile } from "./pattern.js";
import { reduceMax } from "./reduce.js";
import { cast, reshape, transpose, unsqueeze } from "./reshape.js";
import { concat } from "./slicing.js";
import { softmax } from "./softmax.js";
import { tanh } from "./trigonometry.js";

/** What attention takes, as the standard names it: heads in an axis, [batch, heads, length, size], or side by side. */
export interface AttentionOperands {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  /** which keys each query may attend to, or what is added to their scores; what it does not reach is not attended to */
  readonly mask: Value | null;
  /** keys and values that come before */
  readonly past: { readonly key: Value; readonly value: Value } | null;
  /** how many keys there are of each element of the batch, int64[batch] */
  readonly lengths: Value | null;
}

/**
 * Attention (opset 23 to 25):
 *
 *   Y = softmax(cap(scale · Q Kᵀ) + bias) V,  cap(s) = c tanh(s / c),  scale = 1 / √size unless given
 *
 * Bias is −∞ for what must not be attended to. Queries that may attend to nothing have the result 0. Several heads of queries
 * may share one of keys and values.
 *
 * @returns Y, all keys, all values, and the scores after as many of these steps as `qk_matmul_output_mode` says
 */
export function attention(
  b: Builder,
  { query, key, value, mask, past, lengths }: AttentionOperands,
  attributes: Attributes,
): readonly [Value, Value, Value, Value] {
  const isFlat = query.shape.length === 3;
  const queryHeads = attributes.q_num_heads as number | undefined;
  const keyHeads = attributes.kv_num_heads as number | undefined;
  const q = withHeads(b, query, queryHeads, "q_num_heads");
  const own = withHeads(b, key, keyHeads, "kv_num_heads");
  const k = joined(b, past?.key, own);
  const v = joined(b, past?.value, withHeads(b, value, keyHeads, "kv_num_heads"));
  const [, heads, length, size] = dims(q);
  const [, shared, total] = dims(k);
  if (heads % shared !== 0 || dims(v)[1] !== shared || dims(v)[2] !== total || dims(k)[3] !== size) {
    throw new ShapeError(
      `Attention: queries ${showType(q)}, keys ${showType(k)} and values ${showType(v)} do not fit.`,
    );
  }
  const scale = (attributes.scale as number | undefined) ?? 1 / Math.sqrt(size);
  const scores = matmul(b, mul(b, q, scale), transpose(b, repeated(b, k, heads / shared), [0, 1, 3, 2]));
  const cap = (attributes.softcap as number | undefined) ?? 0;
  const capped = cap > 0 ? mul(b, tanh(b, div(b, scores, cap)), cap) : scores;

  const offset = total - dims(own)[2];
  const bias = biasOf(b, { mask, lengths, offset, length, total, like: q }, attributes);
  const biased = bias === null ? capped : add(b, capped, bias);
  const precision = attributes.softmax_precision as number | undefined;
  const wide = precision === undefined ? biased : cast(b, biased, dtypeOfNumber(precision, "Attention"));
  const weights = cast(b, weightsOf(b, wide, bias), q.dtype);
  const y = matmul(b, weights, repeated(b, v, heads / shared));
  const steps = [scores, capped, biased, weights];
  const result = isFlat
    ? reshape(b, transpose(b, y, [0, 2, 1, 3]), [free(y.shape[0]!), length, heads * dims(v)[3]])
    : y;
  return [result, k, v, steps[intOf(attributes, "qk_matmul_output_mode", 0)]!];
}

/** Heads in an axis of their own: [batch, length, heads · size] as [batch, heads, length, size]. */
function withHeads(b: Builder, x: Value, heads: number | undefined, name: string): Value {
  if (x.shape.length === 4) {
    if (heads === undefined || heads === x.shape[1]) return x;
    throw new ShapeError(
      `Attention: its attributes ask for ${heads} heads, but ${showType(x)} has ${x.shape[1]} (${name}).`,
    );
  }
  const [batch, length, width] = x.shape as [Dim, number, number];
  if (x.shape.length === 3 && heads !== undefined && heads > 0 && width % heads === 0) {
    return transpose(b, reshape(b, x, [free(batch), length, heads, width / heads]), [0, 2, 1, 3]);
  }
  throw new ShapeError(
    `Attention needs [batch, heads, length, size], or [batch, length, heads · size] and ${name}; got ${showType(x)}` +
      `${heads === undefined ? "" : ` and ${heads} heads`}.`,
  );
}

/** A dimension of a reshape: what is symbolic follows from the others. */
const free = (dim: Dim) => (typeof dim === "number" ? dim : -1);

function dims(x: Value): readonly [Dim, number, number, number] {
  if (x.shape.slice(1).every((dim) => typeof dim === "number"))
    return x.shape as [Dim, number, number, number];
  throw new GraphError(
    `Attention needs lengths that are known, but ${showType(x)} has not. Give the graph concrete shapes.`,
  );
}

function joined(b: Builder, past: Value | undefined, x: Value): Value {
  return past === undefined ? x : concat(b, [past, x], 2);
}

/** Each head as often as queries share it. */
function repeated(b: Builder, x: Value, count: number): Value {
  if (count === 1) return x;
  const [batch, heads, length, size] = dims(x);
  const copies = tile(b, unsqueeze(b, x, [2]), [1, 1, count, 1, 1]);
  return reshape(b, copies, [free(batch), heads * count, length, size]);
}

/** The softmax of scores; 0 for a query whose bias is −∞ throughout. */
function weightsOf(b: Builder, scores: Value, bias: Value | null): Value {
  if (bias === null) return softmax(b, scores);
  const isIdle = equal(b, reduceMax(b, bias, [-1], true), -Infinity);
  return where(b, isIdle, 0, softmax(b, where(b, isIdle, 0, scores)));
}

interface Keys {
  readonly mask: Value | null;
  readonly lengths: Value | null;
  /** how many keys come before those of the first query */
  readonly offset: number;
  readonly length: number;
  readonly total: number;
  readonly like: Value;
}

/** What is added to the scores: 0 or −∞, or a mask of numbers; `null` where each query attends to all keys. */
function biasOf(
  b: Builder,
  { mask, lengths, offset, length, total, like }: Keys,
  attributes: Attributes,
): Value | null {
  const parts: Value[] = [];
  const allow = (condition: Value) => parts.push(where(b, condition, b.scalar(like.dtype, 0), -Infinity));
  if (mask !== null) parts.push(padded(b, additive(b, mask, like), total));
  const each = lengths === null ? null : reshape(b, lengths, [-1, 1, 1, 1]);
  const places = range(b, total);
  /** how far each key lies behind its query */
  const behind = () => {
    const first = each === null ? offset : sub(b, each, length);
    return sub(b, add(b, unsqueeze(b, range(b, length), [1]), first), places);
  };
  if (attributes.is_causal === 1) allow(lessOrEqual(b, b.scalar("int64", 0), behind()));
  for (const [name, sign] of [
    ["left_window_size", 1],
    ["right_window_size", -1],
  ] as const) {
    const window = intOf(attributes, name, -1);
    if (window < -1) throw new ShapeError(`Attention: ${name} must be −1 or more, but is ${window}.`);
    if (window >= 0) allow(lessOrEqual(b, sign === 1 ? behind() : sub(b, 0, behind()), window));
  }
  if (each !== null) allow(less(b, places, each));
  return parts.length === 0 ? null : parts.reduce((sum, part) => add(b, sum, part));
}

/** A mask as what is added to scores. */
function additive(b: Builder, mask: Value, like: Value): Value {
  if (mask.dtype !== "bool") return cast(b, mask, like.dtype);
  return where(b, mask, b.scalar(like.dtype, 0), -Infinity);
}

/** A bias with −∞ for the keys that it does not reach. */
function padded(b: Builder, bias: Value, total: number): Value {
  const reached = bias.shape.at(-1);
  if (reached === total || reached === 1) return bias;
  const shape = [...bias.shape.slice(0, -1), total - (reached as number)];
  if (!shape.every((dim) => typeof dim === "number" && dim > 0)) {
    throw new ShapeError(`Attention: the mask ${showType(bias)} does not fit ${total} keys.`);
  }
  const rest = expand(b, b.scalar(bias.dtype, -Infinity), shape as number[]);
  return concat(b, [bias, rest], bias.shape.length - 1);
}
