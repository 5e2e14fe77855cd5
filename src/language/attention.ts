import { tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul } from "../ops/arithmetic.js";
import { expand } from "../ops/broadcast.js";
import { matmul } from "../ops/linalg.js";
import { lessOrEqual, where } from "../ops/logic.js";
import { reshape, squeeze, transpose, unsqueeze } from "../ops/reshape.js";
import { scatterND } from "../ops/scatter.js";
import { concat } from "../ops/slicing.js";
import { softmax } from "../ops/softmax.js";

/** Queries, keys or values of sequences, [batch, heads, length, size]. */
export type Heads = Value;

/** Keys and values of one attention. */
export interface KeysAndValues {
  readonly key: Heads;
  readonly value: Heads;
}

/**
 * How queries meet keys, softmax(Q Kᵀ / √size + mask) V: over whole sequences, or at one place of them, with the keys and
 * values of the places before it.
 */
export type Attend = (b: Builder, query: Heads, own: KeysAndValues) => Heads;

/** Each place sees itself and those before it. */
export const causal: Attend = (b, query, own) => {
  const length = own.key.shape[2] as number;
  const mask = Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? Number.NEGATIVE_INFINITY : 0,
  );
  return mixed(b, query, own, b.constant(tensor(query.dtype, [length, length], mask)));
};

/** As {@link causal}, telling of the keys and values of each attention. */
export function recorded(seen: (own: KeysAndValues) => void): Attend {
  return (b, query, own) => {
    seen(own);
    return causal(b, query, own);
  };
}

/**
 * The query of one place of a sequence: its key and value take their place among those that were kept, and it sees those up
 * to itself. What lies beyond counts for nothing, whatever it is.
 *
 * @param place  int64 scalar, from 0
 * @param next  what was kept for this attention, of the several that a model has: [heads, length, size]
 * @param seen  told of what is to be kept
 */
export function atPlace(
  place: Value,
  next: () => KeysAndValues,
  seen: (kept: KeysAndValues) => void,
): Attend {
  return (b, query, own) => {
    const before = next();
    const [heads, length] = before.key.shape as [number, number];
    const rows = tensor(
      "int64",
      [heads, 1, 1],
      Array.from({ length: heads }, (_, head) => head),
    );
    const at = concat(b, [b.constant(rows), expand(b, reshape(b, place, [1, 1, 1]), [heads, 1, 1])], 2);
    const put = (all: Value, one: Heads) => scatterND(b, all, at, squeeze(b, one, [0]));
    const kept = { key: put(before.key, own.key), value: put(before.value, own.value) };
    seen(kept);
    const places = b.ints(Array.from({ length }, (_, i) => i));
    const mask = where(b, lessOrEqual(b, places, place), b.scalar(query.dtype, 0), Number.NEGATIVE_INFINITY);
    const all = { key: unsqueeze(b, kept.key, [0]), value: unsqueeze(b, kept.value, [0]) };
    return mixed(b, query, all, mask);
  };
}

function mixed(b: Builder, query: Heads, { key, value }: KeysAndValues, mask: Value): Heads {
  const size = query.shape[3] as number;
  const scaled = mul(b, query, 1 / Math.sqrt(size));
  const scores = matmul(b, scaled, transpose(b, key, [0, 1, 3, 2]));
  return matmul(b, softmax(b, add(b, scores, mask), -1), value);
}

/** Rows [batch · length, heads · size] of sequences as [batch, heads, length, size]. */
export function headsOf(b: Builder, rows: Value, heads: number, length: number): Heads {
  const size = (rows.shape[1] as number) / heads;
  return transpose(b, reshape(b, rows, [-1, length, heads, size]), [0, 2, 1, 3]);
}

/** The heads side by side again, as rows. */
export function rowsOf(b: Builder, heads: Heads): Value {
  const [, count, , size] = heads.shape as [unknown, number, number, number];
  return reshape(b, transpose(b, heads, [0, 2, 1, 3]), [-1, count * size]);
}
