import { OptionError, showValue } from "../core/options.js";
import { type FloatDType, type Tensor, tensor } from "../core/tensor.js";
import type { Dataset } from "../models/dataset.js";
import type { SampleTypes } from "../models/model.js";
import { isTensor, type Nested, type TensorLike, tensorOf } from "./given.js";

/**
 * Arrays by name, each with the samples along its leading axis: tensors, or how people write them, [[1, 0], [0, 1]]. Whole
 * numbers may be bigints, and `null` is a number that was not observed.
 */
export type DatasetLike = Readonly<
  Record<string, TensorLike | Nested<number | bigint | null> | BigInt64Array>
>;

/**
 * Data as tensors. Whether they are those that are wanted is for who takes them to check.
 *
 * @param what  names the data in messages: "The training data"
 * @throws {OptionError} for what is no record of arrays
 * @throws {ShapeError} for arrays that are not rectangular
 */
export function datasetOf(what: string, given: unknown, types: SampleTypes, dtype: FloatDType): Dataset {
  if (typeof given !== "object" || given === null || isTensor(given)) {
    const names = Object.keys(types).join(", ");
    throw new OptionError(
      `${what} are a record of arrays by name, { ${names} }, but ${isTensor(given) ? "a tensor" : showValue(given)} was given.`,
    );
  }
  const converted = (name: string, value: unknown): Tensor => {
    const array = `${what}: "${name}"`;
    if (types[name]?.type !== "int64") return tensorOf(array, value, dtype, true);
    if (value instanceof BigInt64Array) return tensor("int64", [value.length], value);
    return tensorOf(array, wholeNumbers(value), "float64");
  };
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      // what nothing takes, or is not there, is refused by its name
      value === undefined || isTensor(value) || !Object.hasOwn(types, name) ? value : converted(name, value),
    ]),
  );
}

/** Bigints as numbers; those that no number holds exactly are left, and refused. */
function wholeNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(wholeNumbers);
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
