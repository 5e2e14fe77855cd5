// What TensorFlow.js (4.22) computes with on each of its backends, as far as graphs have to heed it. Each entry was seen:
// `test/graph-model` holds every operator against exact values, and docs/decisions/tensorflow-js.md tells the figures.

/** Backends that graphs run on. */
export const backends = ["cpu", "wasm", "webgl", "webgpu"] as const;
export type Backend = (typeof backends)[number];

/** What a model is written for: one backend, or any of them. */
export interface Target {
  /** as messages call it */
  readonly name: string;
  readonly backends: readonly Backend[];
}

/** Integers that are computed with exactly: of less than so much in size. On a GPU they are, or pass through, float32. */
const integerLimits: Readonly<Record<Backend, number>> = {
  ...{ cpu: 2 ** 31, wasm: 2 ** 31 },
  ...{ webgl: 2 ** 24, webgpu: 2 ** 24 },
};

/** The size below which every backend of a target has all integers. */
export function integerLimit({ backends }: Target): number {
  return backends.reduce((least, backend) => Math.min(least, integerLimits[backend]), 2 ** 31);
}

/**
 * Operators that a backend computes wrongly, or in too few digits, and that are functions of others: those are taken.
 */
const wrong: Readonly<Record<Backend, ReadonlySet<string>>> = {
  ...{ cpu: new Set([]), wasm: new Set([]) },
  // off by 2e-4 and 7e-5; infinite from 1e19 on; infinite for NaN
  webgl: new Set(["Asinh", "Acos", "Acosh", "Softplus", "Sinh", "Cosh"]),
  webgpu: new Set(["Asinh", "Acos", "Acosh", "Softplus", "Sinh", "Cosh"]),
};

/** Whether every backend of a target computes an operator rightly, where there is one for it. */
export function isRight(type: string, { backends }: Target): boolean {
  return backends.every((backend) => !wrong[backend].has(type));
}

/** What a backend does otherwise than it should, which the rules of some operators work around. */
export type Flaw =
  /** the larger and the smaller of NaN and a number is the number */
  | "extrema of NaN"
  /** the largest of numbers below −1e20 is −1e20, and the smallest of those above 1e20 is 1e20 */
  | "extrema from 1e20 on"
  /** sines and cosines are off by 3e-7 whatever they are, and wrong from |x| = 2⁵³ on */
  | "sines"
  /** x / x is 1 also for 0 and ∞ */
  | "quotients of equals"
  /** powers of 0 are NaN or 1e-19 */
  | "powers of zero"
  /** powers of NaN are 0, ∞ or some number */
  | "powers of NaN"
  /** the remainder of floats is x − y ⌊x / y⌋, of which few digits are right */
  | "remainders"
  /** rectified, −∞ is NaN */
  | "rectified infinity"
  /** what is written at computed places goes into the operand itself, whoever else needs that */
  | "writing in place"
  /** beside the edges of matrices of odd sizes lies what their elements would have been made of 0, and products add it up */
  | "edges of products"
  /** integers are divided as float32 */
  | "integer quotients"
  /** integers are not transposed, nor reduced along axes that are not the last: what comes out is what lay there before */
  | "transposed integers"
  /** an integer that was cast to float stays one until something is computed with it, and moving it fails */
  | "lazy casts";

const flaws: Readonly<Record<Backend, ReadonlySet<Flaw>>> = {
  cpu: new Set<Flaw>(["writing in place"]),
  wasm: new Set<Flaw>(["extrema of NaN", "sines", "integer quotients"]),
  webgl: new Set<Flaw>([
    ...(["extrema of NaN", "extrema from 1e20 on", "quotients of equals", "powers of zero"] as const),
    ...(["powers of NaN", "remainders", "rectified infinity", "integer quotients"] as const),
    ...(["edges of products"] as const),
  ]),
  webgpu: new Set<Flaw>([
    ...([
      "extrema of NaN",
      "powers of zero",
      "remainders",
      "integer quotients",
      "transposed integers",
      "lazy casts",
    ] as const),
  ]),
};

export function hasFlaw(flaw: Flaw, { backends }: Target): boolean {
  return backends.some((backend) => flaws[backend].has(flaw));
}
