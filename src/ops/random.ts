import { type FloatDType, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul } from "./arithmetic.js";
import { BitShift } from "./bitwise.js";
import { floor } from "./elementwise.js";
import { normalOf } from "./normal.js";
import { cast, reshape } from "./reshape.js";

// Random numbers as functions of a key and a counter: the same on every runtime, in any order, and nothing is kept.

/** 2³² */
const word = 2n ** 32n;

/**
 * 32 random bits for each counter, as int64 in [0, 2³²). With ⊕ the sum and · the product of 64-bit words, rot their
 * halves exchanged, and k the key:
 *
 *   y = c·k,  z = y + k
 *   x ← rot(y·y + y),  x ← rot(x·x + z),  x ← rot(x·x + y),  bits = (x·x + z) / 2³²
 *
 * @param key  odd int64 scalar, see {@link randomKey}
 * @param counters  int64, each used for one number only
 * @see Widynski 2020, "Squares: A Fast Counter-Based RNG", arXiv:2004.06278
 */
export function randomBits(b: Builder, key: Value, counters: Value): Value {
  const y = mul(b, counters, key);
  const z = add(b, y, key);
  const square = (x: Value) => mul(b, x, x);
  const first = rotated(b, add(b, square(y), y));
  const second = rotated(b, add(b, square(first), z));
  const third = rotated(b, add(b, square(second), y));
  return upper(b, add(b, square(third), z));
}

/** Uniform numbers in [0, 1), for each counter: multiples of 2⁻³² in float64, of 2⁻²⁴ in float32. */
export function randomUniform(b: Builder, key: Value, counters: Value, dtype: FloatDType): Value {
  const bits = cast(b, randomBits(b, key, counters), "float64");
  if (dtype === "float64") return mul(b, bits, 2 ** -32);
  return cast(b, mul(b, floor(b, mul(b, bits, 2 ** -8)), 2 ** -24), "float32");
}

/**
 * Standard normal numbers by Box and Muller, √(−2 ln(1 − u)) cos 2πv, each from two counters, the same bits on every runtime.
 *
 * @param key  as for the bits, or keys of a shape that broadcasts with that of the counters
 * @param counters  int64; the second of each pair is the counter plus `stride`
 */
export function randomNormal(
  b: Builder,
  key: Value,
  counters: Value,
  stride: number,
  dtype: FloatDType,
): Value {
  const word = (at: Value) => cast(b, randomBits(b, key, at), "float64");
  return cast(b, normalOf(b, word(counters), word(add(b, counters, b.scalar("int64", stride)))), dtype);
}

/**
 * Keys that belong to a key and to numbers, as different as keys of different seeds.
 *
 * @param key  int64: any whole numbers where they are the first that randomness comes from
 * @param numbers  int64, of a shape that broadcasts with that of the keys
 * @returns odd int64
 */
export function derivedKeys(b: Builder, key: Value, numbers: Value): Value {
  const two = b.scalar("int64", 2);
  const root = b.scalar("int64", randomKey(0));
  const mixed = (k: Value, at: Value) => {
    const [high, low] = [0n, 1n].map((i) =>
      randomBits(b, k, add(b, mul(b, at, two), b.scalar("int64", i))),
    ) as [Value, Value];
    const even = mul(b, div(b, low, two), two);
    return add(b, add(b, mul(b, high, b.scalar("int64", word)), even), b.scalar("int64", 1));
  };
  return mixed(mixed(root, key), numbers);
}

/** The counters start, start + 1, …, in a shape. @param start  an int64 scalar */
export function countersFrom(b: Builder, start: Value, shape: readonly number[]): Value {
  const own: Tensor = tensor(
    "int64",
    [sizeOf(shape)],
    Array.from({ length: sizeOf(shape) }, (_, i) => i),
  );
  return reshape(b, add(b, b.constant(own), start), shape);
}

/**
 * A key for a seed: the seed mixed by SplitMix64, and made odd.
 *
 * @see Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"
 */
export function randomKey(seed: number): bigint {
  const mixed = (x: bigint, shift: bigint, factor: bigint) => BigInt.asUintN(64, (x ^ (x >> shift)) * factor);
  let z = BigInt.asUintN(64, BigInt(seed) + 0x9e3779b97f4a7c15n);
  z = mixed(z, 30n, 0xbf58476d1ce4e5b9n);
  z = mixed(z, 27n, 0x94d049bb133111ebn);
  return BigInt.asIntN(64, (z ^ (z >> 31n)) | 1n);
}

/** The halves of a word exchanged: x 2³² has the lower one above, and nothing of the other. */
function rotated(b: Builder, x: Value): Value {
  return add(b, mul(b, x, b.scalar("int64", word)), upper(b, x));
}

/** The upper half of a word, without sign. */
function upper(b: Builder, x: Value): Value {
  const bits = [cast(b, x, "uint64"), b.scalar("uint64", 32)];
  return cast(b, b.apply(BitShift, bits, { direction: "RIGHT" }), "int64");
}
