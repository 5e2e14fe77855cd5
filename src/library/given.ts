import { OptionError, showValue } from "../core/options.js";
import { castTensor, type FloatDType, fromNested, ShapeError, type Tensor, tensor } from "../core/tensor.js";

// What users write, as what the rest of revort takes.

/** Arrays in arrays, as deep as a tensor has axes. */
export type Nested<T = number> = readonly (T | Nested<T> | Float64Array | Float32Array)[];

/** A tensor, or how people write one: [1, 0], [[1, 0], [0, 1]], a typed array, a number. */
export type TensorLike = Tensor | Nested | Float64Array | Float32Array | number;

/** The same with gaps: NaN or `null` where nothing was measured. */
export type ObservationsLike = Tensor | Nested<number | null> | Float64Array | Float32Array;

/** Times, in order. */
export type TimesLike = readonly number[] | Float64Array | Float32Array;

/**
 * @param what  names it in messages, at the beginning of a sentence
 * @param gaps  whether `null` stands for what was not measured
 * @throws {OptionError} for what is no tensor, nor array of numbers
 * @throws {ShapeError} for arrays that are not rectangular
 */
export function tensorOf(what: string, given: unknown, dtype: FloatDType, gaps = false): Tensor {
  if (isTensor(given)) return castTensor(given, dtype);
  if (given instanceof Float64Array || given instanceof Float32Array) {
    return castTensor(
      tensor(given instanceof Float64Array ? "float64" : "float32", [given.length], given),
      dtype,
    );
  }
  if (typeof given !== "number" && !Array.isArray(given)) {
    throw new OptionError(
      `${what} takes a tensor or arrays of numbers, as [1, 0] or [[1, 0], [0, 1]], but ${showValue(given)} was given.`,
    );
  }
  try {
    return fromNested(dtype, asArrays(given, gaps));
  } catch (cause) {
    if (!(cause instanceof ShapeError)) throw cause;
    throw new ShapeError(`${what}: ${cause.message}`, { cause });
  }
}

/** @throws {OptionError} unless all are numbers */
export function timesOf(what: string, given: unknown): readonly number[] {
  if (given instanceof Float64Array || given instanceof Float32Array) return Array.from(given);
  if (!Array.isArray(given)) {
    throw new OptionError(`${what} takes an array of times, but ${showValue(given)} was given.`);
  }
  const wrong = given.findIndex((time) => typeof time !== "number");
  if (wrong < 0) return given as readonly number[];
  throw new OptionError(
    `${what} takes an array of times, but the one at index ${wrong} is ${showValue(given[wrong])}.`,
  );
}

/** @throws {OptionError} unless it is one */
export function timeOf(what: string, given: unknown): number {
  if (typeof given === "number") return given;
  throw new OptionError(`${what} is a time, one number, but ${showValue(given)} was given.`);
}

export function isTensor(value: unknown): value is Tensor {
  return (
    typeof value === "object" && value !== null && "dtype" in value && "shape" in value && "data" in value
  );
}

function asArrays(value: unknown, gaps: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => asArrays(item, gaps));
  if (value instanceof Float64Array || value instanceof Float32Array) return Array.from(value);
  return gaps && value === null ? Number.NaN : value;
}
