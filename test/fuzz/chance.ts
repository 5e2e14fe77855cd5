import { Random } from "../../src/core/random.js";

/** Integers that programs are not prepared for. */
const oddIntegers: readonly bigint[] = [
  ...[0n, 1n, -1n, 2n, 3n, 7n, -2n, -16n, 64n, 255n, 1000n, 44_721n, 100_000_000n, 2_000_000_000n],
  ...[2n ** 31n - 1n, 2n ** 31n, -(2n ** 31n), 2n ** 32n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n)],
];
const oddFloats: readonly number[] = [
  ...[0, -0, 1, -1, 0.5, 1e-45, 1e-30, 3.4e38, -3.4e38, 1e-300, 1e308],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
];
const oddTexts: readonly string[] = [
  ...["", " ", "__proto__", "constructor", "toString", "hasOwnProperty", "batch", "-1", "0", "y", "t", "x"],
  ...[
    "\u001b[31mred",
    "a\nb",
    "a\rb",
    "\u0000",
    "\u009b2J",
    "\u202e",
    "é",
    "𝛼",
    "\ud800",
    "../x",
    "/etc/passwd",
  ],
  ...["x".repeat(300), "y".repeat(20_000), "NaN", "null", "{}", '"', "<script>", "%s%n", "$(id)"],
];

/** Choices of a mutant, which its number determines. */
export interface Chance {
  readonly random: Random;
  /** one of a list */
  readonly of: <T>(list: readonly T[]) => T;
  /** true so often */
  readonly holds: (probability: number) => boolean;
  /** 0 … n − 1 */
  readonly below: (n: number) => number;
  readonly integer: () => bigint;
  readonly float: () => number;
  readonly text: () => string;
  readonly bytes: (length: number) => Uint8Array;
}

export function chanceOf(seed: number, index: number): Chance {
  const random = Random.seeded(seed * 2 ** 24 + index);
  const below = (n: number) => random.integer(n);
  const of = <T>(list: readonly T[]) => list[below(list.length)]!;
  return {
    random,
    of,
    below,
    holds: (probability) => random.uniform() < probability,
    integer: () => (random.uniform() < 0.7 ? of(oddIntegers) : BigInt(below(12) - 4)),
    float: () => (random.uniform() < 0.7 ? of(oddFloats) : random.normal()),
    text: () => of(oddTexts),
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
  };
}

/** Bytes with some flipped, cut, repeated or put in. */
export function mutateBytes(bytes: Uint8Array, chance: Chance): Uint8Array<ArrayBuffer> {
  let result = Uint8Array.from(bytes);
  for (let i = 0; i <= chance.below(4); i++) {
    const at = chance.below(result.length + 1);
    const length = 1 + chance.below(chance.of([1, 4, 16, 200]));
    const [before, after] = [result.subarray(0, at), result.subarray(at)];
    const joined = chance.of<() => (Uint8Array | readonly number[])[]>([
      () => [before, after.map((byte, k) => (k < length ? byte ^ (1 << chance.below(8)) : byte))],
      () => [before, after.subarray(length)],
      () => [before, chance.bytes(length), after],
      () => [before, chance.bytes(length), after.subarray(length)],
      () => [before, after.subarray(0, length), after],
      () => [before],
      () => [
        before,
        new Uint8Array(length).fill(chance.of([0, 1, 0x7f, 0x80, 0xff])),
        after.subarray(length),
      ],
    ])();
    result = Uint8Array.from(joined.flatMap((part) => [...part]));
  }
  return result;
}
