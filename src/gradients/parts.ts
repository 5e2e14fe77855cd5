import { RevortError } from "../core/errors.js";
import { emptyData, sizeOf, type Tensor, type TensorData } from "../core/tensor.js";

// Parts of a batch, and what is added up of them.

/** A batch that cannot be split among so many runtimes. */
export class SplitError extends RevortError {}

/** From which to which sample part k of n goes. */
export function bounds(batch: number, n: number, k: number): [number, number] {
  return [Math.floor((batch * k) / n), Math.floor((batch * (k + 1)) / n)];
}

/** What part of the whole each is. */
export function sharesOf(sizes: readonly number[]): number[] {
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  return sizes.map((size) => size / whole);
}

/**
 * Σₖ sₖ xₖ, in order, rounded as graphs of the same type round it.
 *
 * @param shares  sₖ
 */
export function weightedSum(terms: readonly Tensor[], shares: readonly number[]): Tensor {
  const { dtype, shape } = terms[0]!;
  const data = emptyData(dtype as "float64", sizeOf(shape)) as TensorData;
  for (const [k, term] of terms.entries()) {
    // a part in which nothing was observed has no mean: 0 / 0
    if (shares[k] === 0) continue;
    addTimes(data as Float64Array, 0, shares[k]!, term.data as Float64Array);
  }
  return { dtype, shape, data } as Tensor;
}

/** sum[at + i] += factor · terms[i] */
export function addTimes(sum: Float64Array, at: number, factor: number, terms: Float64Array): void {
  if ((sum as object) instanceof Float32Array) {
    const own = Math.fround(factor);
    for (let i = 0; i < terms.length; i++) sum[at + i]! += Math.fround(own * terms[i]!);
    return;
  }
  for (let i = 0; i < terms.length; i++) sum[at + i]! += factor * terms[i]!;
}
