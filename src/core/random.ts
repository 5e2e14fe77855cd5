import { RevortError } from "./errors.js";

/** The whole state of a generator: four 32-bit words, as JSON can hold them. */
export type RandomState = readonly [number, number, number, number];

/**
 * A seeded pseudo-random generator (xoshiro128**, seeded by SplitMix32), owned by its caller and serialisable, so
 * that a resumed run draws exactly what an uninterrupted one would have drawn.
 *
 * @see Blackman & Vigna 2021, "Scrambled linear pseudorandom number generators"
 */
export class Random {
  #s: [number, number, number, number];

  private constructor(state: RandomState) {
    this.#s = [...state];
  }

  /** @throws {RevortError} if the seed is not an integer in [0, 2^53) */
  static seeded(seed: number): Random {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RevortError(`A seed must be a whole number, 0 or more, but ${seed} was given.`);
    }
    let x = (seed ^ Math.floor(seed / 2 ** 32)) | 0;
    const splitMix = (): number => {
      x = (x + 0x9e3779b9) | 0;
      let z = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    return new Random([splitMix(), splitMix(), splitMix(), splitMix()]);
  }

  static restored(state: RandomState): Random {
    return new Random(state);
  }

  get state(): RandomState {
    return [...this.#s];
  }

  /** 32 uniform bits. */
  bits(): number {
    const s = this.#s;
    const rotated = Math.imul(s[1], 5);
    const result = Math.imul((rotated << 7) | (rotated >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    for (let i = 0; i < 4; i++) s[i] = s[i]! >>> 0;
    return result;
  }

  /** Uniform in [low, high), with 53 random bits. */
  uniform(low = 0, high = 1): number {
    const unit = ((this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)) / 2 ** 53;
    return low + (high - low) * unit;
  }

  /** Standard normal, by Box and Muller (the second variate is dropped: no hidden state). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Uniform in 0 … n − 1, without modulo bias. */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** 0 … n − 1 in random order (Fisher and Yates). */
  permutation(n: number): number[] {
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}
