import { epsilon } from "../core/spacing.js";
import { emptyData, type FloatDType, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import { type Grid, TimeError } from "../programs/grid.js";

/** The numbers of an array on the host. */
export type Row = Float64Array | Float32Array;

/** Σⱼ qⱼ θʲ, componentwise, for coefficients of a step and θ in [0, 1]. */
export function polynomialAt(coefficients: readonly Row[], theta: number, into: Row): Row {
  const degree = coefficients.length - 1;
  for (let i = 0; i < into.length; i++) {
    let sum = coefficients[degree]![i]!;
    for (let j = degree - 1; j >= 0; j--) sum = sum * theta + coefficients[j]![i]!;
    into[i] = sum;
  }
  return into;
}

/** A solution at any time between its ends. */
export class DenseSolution {
  /** where the solve stepped */
  readonly times: readonly number[];
  readonly #coefficients: readonly (readonly Row[])[];
  readonly #state: readonly number[];
  readonly #dtype: FloatDType;

  constructor(
    grid: Grid,
    coefficients: readonly (readonly Row[])[],
    state: readonly number[],
    dtype: FloatDType,
  ) {
    this.times = grid.times;
    this.#coefficients = coefficients;
    this.#state = state;
    this.#dtype = dtype;
  }

  /** The state at t. @throws {TimeError} outside of the solve, but for the rounding of its ends */
  at(asked: number): Tensor {
    const t = this.#within(asked);
    const step = stepAt(this.times, t);
    const [from, to] = [this.times[step]!, this.times[step + 1]!];
    const values = emptyData(this.#dtype, sizeOf(this.#state));
    polynomialAt(this.#coefficients[step]!, (t - from) / (to - from), values);
    return tensor(this.#dtype, this.#state, values);
  }

  /** An end of the solve for a time that is one in the dtype of the solve. */
  #within(t: number): number {
    const [t0, end] = [this.times[0]!, this.times.at(-1)!];
    return [t0, end].find((time) => Math.abs(t - time) <= epsilon[this.#dtype] * Math.abs(end - t0)) ?? t;
  }
}

/** The step in which t lies. @throws {TimeError} if it lies in none */
export function stepAt(times: readonly number[], t: number): number {
  const [first, last] = [times[0]!, times.at(-1)!];
  const forwards = last >= first;
  if (times.length < 2 || !(forwards ? t >= first && t <= last : t <= first && t >= last)) {
    throw new TimeError(`The solution is known from ${first} to ${last}, but was asked for at ${t}.`);
  }
  let low = 0;
  let high = times.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (forwards ? times[middle]! <= t : times[middle]! >= t) low = middle;
    else high = middle - 1;
  }
  return low;
}
