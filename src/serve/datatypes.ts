import {
  type DType,
  dtypes,
  emptyData,
  integerRange,
  isBigInt,
  isFloat,
  showShape,
  sizeOf,
  type Tensor,
  type TensorData,
  widthOf,
} from "../core/tensor.js";
import { badRequest, RequestError } from "./request-error.js";

// Tensors as the Open Inference Protocol has them: the names of types, numbers in JSON, and bytes (little-endian, row-major).

/** The protocol's name of each element type. */
export const datatypes: Readonly<Record<DType, string>> = {
  float32: "FP32",
  float64: "FP64",
  int8: "INT8",
  int16: "INT16",
  int32: "INT32",
  int64: "INT64",
  uint8: "UINT8",
  uint16: "UINT16",
  uint32: "UINT32",
  uint64: "UINT64",
  bool: "BOOL",
};

/** @throws {RequestError} for a type that is none, or that no model here takes */
export function dtypeNamed(what: string, datatype: string): DType {
  const dtype = dtypes.find((one) => datatypes[one] === datatype);
  if (dtype !== undefined) return dtype;
  throw badRequest(
    `${what} has the datatype ${JSON.stringify(datatype)}, but there are ${Object.values(datatypes).join(", ")}.`,
  );
}

/** Axes that a tensor has at most; no sensible one has more. */
const mostAxes = 16;

/** @throws {RequestError} for a shape whose size is no number of elements that may be given */
export function checkedSize(what: string, shape: readonly number[], mostElements: number): number {
  if (shape.length > mostAxes)
    throw badRequest(`${what} has ${shape.length} axes; there may be ${mostAxes} at most.`);
  const size = sizeOf(shape);
  if (size <= mostElements) return size;
  throw new RequestError(
    413,
    `${what} has the shape ${showShape(shape)}, more than the ${mostElements} numbers that one tensor of a request may have.`,
  );
}

/**
 * A tensor from JSON: its numbers in a row or nested as the shape says, row-major either way.
 *
 * @throws {RequestError} unless there are as many as the shape has, each one that the type holds
 */
export function tensorOfJson(what: string, dtype: DType, shape: readonly number[], values: unknown): Tensor {
  if (!Array.isArray(values)) throw badRequest(`${what} needs its data as an array of numbers.`);
  const size = sizeOf(shape);
  const data = emptyData(dtype, size) as TensorData;
  const read = readerOf(dtype, what);
  let count = 0;
  const take = (items: readonly unknown[], depth: number): void => {
    if (depth > mostAxes) throw badRequest(`${what} has arrays nested deeper than ${mostAxes} levels.`);
    for (const item of items) {
      if (Array.isArray(item)) take(item, depth + 1);
      else if (count < size) data[count++] = read(item);
      else count++;
    }
  };
  take(values, 1);
  if (count === size) return { dtype, shape: [...shape], data } as Tensor;
  throw badRequest(`${what} has the shape ${showShape(shape)}, ${size} numbers, but ${count} were given.`);
}

/** What one element of JSON is in a type. */
function readerOf(dtype: DType, what: string): (value: unknown) => number | bigint {
  const datatype = datatypes[dtype];
  const wrong = (value: unknown, why: string) =>
    badRequest(
      `${what} is ${datatype}, but holds ${(JSON.stringify(value) ?? "nothing").slice(0, 40)}${why}.`,
    );
  if (dtype === "bool") {
    return (value) => {
      if (value === true || value === 1) return 1;
      if (value === false || value === 0) return 0;
      throw wrong(value, ", which is neither true nor false");
    };
  }
  if (isFloat(dtype)) {
    const round = dtype === "float32" ? Math.fround : (x: number) => x;
    return (value) => {
      if (typeof value !== "number") throw wrong(value, ", which is no number");
      const rounded = round(value);
      if (Number.isFinite(rounded)) return rounded;
      throw wrong(value, ", which is too large for it");
    };
  }
  const [low, high] = integerRange(dtype).map(Number) as [number, number];
  const convert = isBigInt(dtype) ? BigInt : (x: number) => x;
  return (value) => {
    if (typeof value !== "number" || !Number.isInteger(value))
      throw wrong(value, ", which is no whole number");
    if (value < low || value > high) throw wrong(value, ", which is beyond its range");
    if (Number.isSafeInteger(value)) return convert(value);
    throw wrong(value, ", of which JSON does not keep all digits: send it as binary data");
  };
}

/** A tensor from its bytes, which are copied: a tensor of a request lives longer than what it was sent in. */
export function tensorOfBytes(
  what: string,
  dtype: DType,
  shape: readonly number[],
  bytes: Uint8Array,
): Tensor {
  const needed = sizeOf(shape) * widthOf(dtype);
  if (bytes.length !== needed) {
    throw badRequest(
      `${what} is ${datatypes[dtype]} of the shape ${showShape(shape)}, ${needed} bytes, but ${bytes.length} were given.`,
    );
  }
  const data = emptyData(dtype, sizeOf(shape)) as TensorData;
  new Uint8Array(data.buffer).set(bytes);
  if (dtype === "bool" && (data as Uint8Array).some((byte) => byte > 1))
    throw badRequest(`${what} is BOOL, but holds a byte that is neither 0 nor 1.`);
  return { dtype, shape: [...shape], data } as Tensor;
}

export function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * The numbers of a tensor as JSON has them.
 *
 * @throws {RequestError} where JSON has no spelling for one: infinities, NaN, integers beyond 2⁵³
 */
export function jsonOf(what: string, { dtype, data }: Tensor): readonly (number | boolean)[] {
  if (dtype === "bool") return Array.from(data as Uint8Array, (value) => value !== 0);
  const values = Array.from(data as ArrayLike<number | bigint>, Number);
  const lost = isFloat(dtype)
    ? values.findIndex((value) => !Number.isFinite(value))
    : isBigInt(dtype)
      ? values.findIndex((value) => !Number.isSafeInteger(value))
      : -1;
  if (lost < 0) return values;
  throw new RequestError(
    422,
    `${what} holds ${data[lost]} at position ${lost}, for which JSON has no spelling. Ask for it as binary data ` +
      '("parameters": {"binary_data": true}).',
  );
}
