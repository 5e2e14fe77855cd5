import { ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Attributes, showType, type Value } from "../graph/graph.js";
import { add, mul, sub } from "./arithmetic.js";
import { intOf } from "./operand.js";
import { reshape, transpose, unsqueeze } from "./reshape.js";
import { slice } from "./slice.js";
import { concat, gather, split } from "./slicing.js";

/**
 * RotaryEmbedding (opset 23): pairs of elements of each head turned by angles that grow with the position,
 *
 *   (u, v) ↦ (u cos φ − v sin φ, u sin φ + v cos φ)
 *
 * Pairs are neighbours where `interleaved`, else an element of the first half and one of the second. What comes after the
 * first `rotary_embedding_dim` elements of a head stays.
 *
 * @param x  [batch, heads, length, size], or [batch, length, heads · size]
 * @param cos  [batch, length, size / 2], or with positions [most, size / 2]
 * @param positions  [batch, length]
 * @see Su et al. 2021, arXiv:2104.09864
 */
export function rotaryEmbedding(
  b: Builder,
  x: Value,
  [cos, sin]: readonly [Value, Value],
  positions: Value | null,
  attributes: Attributes,
): Value {
  const isFlat = x.shape.length === 3;
  const heads = isFlat ? intOf(attributes, "num_heads", 0) : (x.shape[1] as number);
  const [length, width] = [isFlat ? x.shape[1] : x.shape[2], x.shape.at(-1)] as [number, number];
  const size = isFlat ? width / heads : width;
  const turned = intOf(attributes, "rotary_embedding_dim", 0) || size;
  const isKnown = [heads, length, size].every(Number.isInteger) && x.shape.length <= 4;
  if (!isKnown || heads < 1 || turned > size || turned % 2 !== 0) {
    throw new ShapeError(
      `RotaryEmbedding needs [batch, heads, length, size], or [batch, length, heads · size] and num_heads, and an even number of ` +
        `elements to turn; got ${showType(x)}, ${heads} heads and ${turned} elements.`,
    );
  }
  const rows = isFlat ? reshape(b, x, [-1, length, heads, size]) : transpose(b, x, [0, 2, 1, 3]);
  const angles = [cos, sin].map((table) => {
    const own = positions === null ? table : gather(b, table, positions, 0);
    return unsqueeze(b, slice(b, own, 2, 0, turned / 2), [2]);
  }) as [Value, Value];
  const [moving, resting] = split(b, rows, 3, turned === size ? [size] : [turned, size - turned]);
  const isInterleaved = attributes.interleaved === 1;
  const [u, v] = isInterleaved
    ? [0, 1].map((first) => slice(b, moving!, 3, first, turned, 2))
    : split(b, moving!, 3, [turned / 2, turned / 2]);
  const [c, s] = angles;
  const pair = [sub(b, mul(b, u!, c), mul(b, v!, s)), add(b, mul(b, u!, s), mul(b, v!, c))];
  const joined = isInterleaved
    ? reshape(
        b,
        concat(
          b,
          pair.map((part) => unsqueeze(b, part, [4])),
          4,
        ),
        [-1, length, heads, turned],
      )
    : concat(b, pair, 3);
  const whole = resting === undefined ? joined : concat(b, [joined, resting], 3);
  return isFlat ? reshape(b, whole, [-1, length, width]) : transpose(b, whole, [0, 2, 1, 3]);
}
