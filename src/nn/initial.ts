import type { Parameter } from "../fields/field.js";

// The distributions that PyTorch draws parameters from.

const sizeOf = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

function drawn(
  shape: readonly number[],
  one: (random: { uniform(low: number, high: number): number; normal(): number }) => number,
): Parameter {
  return { shape, initial: (random) => Array.from({ length: sizeOf(shape) }, () => one(random)) };
}

/** U(−1/√n, 1/√n), for weights with n inputs: `kaiming_uniform_` with a = √5, and biases beside them. */
export function fanIn(shape: readonly number[], inputs: number): Parameter {
  const bound = 1 / Math.sqrt(inputs);
  return drawn(shape, (random) => random.uniform(-bound, bound));
}

/** U(−a, a), a = √(6 / (inputs + outputs)): `xavier_uniform_`. */
export function xavier(shape: readonly number[], inputs: number, outputs: number): Parameter {
  const bound = Math.sqrt(6 / (inputs + outputs));
  return drawn(shape, (random) => random.uniform(-bound, bound));
}

/** N(0, 1) */
export function normal(shape: readonly number[]): Parameter {
  return drawn(shape, (random) => random.normal());
}

export function filled(shape: readonly number[], value: number): Parameter {
  return { shape, initial: () => new Array<number>(sizeOf(shape)).fill(value) };
}

/** N(0, σ²) */
export function scaledNormal(shape: readonly number[], deviation: number): Parameter {
  return drawn(shape, (random) => deviation * random.normal());
}
