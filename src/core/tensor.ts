import { RevortError } from "./errors.js";
import { largestTensor, SizeError, showBytes } from "./size.js";

/** Element types, spelled as in the TypeScript bindings of ONNX Runtime. */
export const dtypes = [
  "float32",
  "float64",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
] as const;
export type DType = (typeof dtypes)[number];
export type FloatDType = "float32" | "float64";

/** The typed array that holds each dtype on the host; bool is one byte, 0 or 1. */
export interface DataOf {
  float32: Float32Array;
  float64: Float64Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
}
export type TensorData = DataOf[DType];

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** An immutable array on the host, row-major. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DataOf[D];
}

/** A shape that does not fit: of data, of an operand, of a state. */
export class ShapeError extends RevortError {}

/** An element type that does not fit. */
export class DTypeError extends RevortError {}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Axes that a message shows of a shape; no sensible one has more. */
const shownAxes = 64;

/** `[2, 3]` as people read it, in error messages. */
export function showShape(shape: readonly (number | string)[]): string {
  const cut = shape.length > shownAxes ? [...shape.slice(0, shownAxes), "…"] : shape;
  return `[${cut.join(", ")}]`;
}

/** Bytes of one element. */
export function widthOf(dtype: DType): number {
  return arrays[dtype].BYTES_PER_ELEMENT;
}

/** Bytes of a tensor; a symbolic dimension counts as 1. */
export function bytesIn({ dtype, shape }: { dtype: DType; shape: readonly (number | string)[] }): number {
  return shape.reduce<number>(
    (bytes, dim) => (typeof dim === "number" ? bytes * dim : bytes),
    widthOf(dtype),
  );
}

/**
 * @param what  says what has the size: `The result of OneHot`
 * @throws {ShapeError} if a dimension is no number of elements
 * @throws {SizeError} naming what is too large, its shape and its bytes
 */
export function checkSize(
  what: () => string,
  type: { readonly dtype: DType; readonly shape: readonly (number | string)[] },
  most = largestTensor,
): void {
  const { dtype, shape } = type;
  let bytes = widthOf(dtype);
  for (const dim of shape) {
    if (typeof dim === "string") continue;
    if (!Number.isInteger(dim) || dim < 0) {
      throw new ShapeError(
        `${what()} would have the shape ${showShape(shape)}, but dimensions are whole numbers, 0 or more.`,
      );
    }
    bytes *= dim;
  }
  if (bytes <= most) return;
  const symbol = shape.find((dim) => typeof dim === "string");
  const each = symbol === undefined ? "" : ` for each of "${symbol}"`;
  throw new SizeError(
    `${what()} would be ${dtype}${showShape(shape)}, which takes ${showBytes(bytes)}${each}, more than the ` +
      `${showBytes(most)} that one tensor may take. Check the number that its size comes from, or make the model smaller.`,
  );
}

export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === "float32" || dtype === "float64";
}

export function isBigInt(dtype: DType): dtype is "int64" | "uint64" {
  return dtype === "int64" || dtype === "uint64";
}

/**
 * Zeros of a dtype on the host.
 *
 * @throws {ShapeError} if the length is no number of elements
 * @throws {SizeError} if there is no memory for so many
 */
export function emptyData<D extends DType>(dtype: D, length: number): DataOf[D] {
  if (length * widthOf(dtype) > largestTensor)
    checkSize(() => "A tensor on the host", { dtype, shape: [length] });
  if (!Number.isInteger(length) || length < 0) {
    throw new ShapeError(`A tensor cannot have ${length} elements: a whole number, 0 or more, is needed.`);
  }
  try {
    return new arrays[dtype](length) as DataOf[D];
  } catch (cause) {
    throw new SizeError(
      `There is no memory for ${length} numbers of ${dtype} (${showBytes(length * widthOf(dtype))}) at once.`,
      { cause },
    );
  }
}

/**
 * A tensor from numbers (or from its own typed array, which is not copied).
 *
 * @throws {ShapeError} if the number of elements is not the product of the shape
 */
export function tensor<D extends DType>(
  dtype: D,
  shape: readonly number[],
  values: ArrayLike<number | bigint | boolean> | TensorData,
): Tensor<D> {
  if (values.length !== sizeOf(shape)) {
    throw new ShapeError(
      `A tensor of shape ${showShape(shape)} needs ${sizeOf(shape)} values, but ${values.length} were given.`,
    );
  }
  if (values instanceof arrays[dtype]) return { dtype, shape: [...shape], data: values as DataOf[D] };
  const data = emptyData(dtype, values.length) as TensorData;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    data[i] = isBigInt(dtype) ? BigInt(value) : Number(value);
  }
  return { dtype, shape: [...shape], data: data as DataOf[D] };
}

/** A tensor without axes. */
export function scalar<D extends DType>(dtype: D, value: number | bigint | boolean): Tensor<D> {
  return tensor(dtype, [], [value]);
}

/** All elements as JavaScript numbers (int64 beyond 2^53 loses digits). */
export function numbers(t: Tensor): number[] {
  return Array.from(t.data as ArrayLike<number | bigint>, Number);
}

/**
 * The same elements as another dtype. Floats are rounded to the nearest, or cut off to integers, which saturate: what is
 * too large becomes the largest, NaN 0. Integers wrap around in a smaller type. A bool is whether an element is not 0.
 */
export function castTensor<D extends DType>(t: Tensor, dtype: D): Tensor<D> {
  if ((t.dtype as DType) === dtype) return t as unknown as Tensor<D>;
  const source = t.data as ArrayLike<number | bigint>;
  const data = emptyData(dtype, source.length) as TensorData;
  const convert = conversion(t.dtype, dtype);
  for (let i = 0; i < source.length; i++) data[i] = convert(source[i]! as never);
  return { dtype, shape: t.shape, data: data as DataOf[D] };
}

/** What one element becomes. */
function conversion(from: DType, to: DType): (value: never) => number | bigint {
  if (to === "bool") return (value: number | bigint) => (Number(value) === 0 ? 0 : 1);
  if (isFloat(to)) {
    if (isBigInt(from)) return to === "float32" ? singleOf : (value: bigint) => Number(value);
    return (value: number) => value;
  }
  const [low, high] = integerRange(to);
  const whole = isBigInt(to) ? BigInt : Number;
  if (!isFloat(from)) {
    // a typed array wraps numbers of 32 bits around by itself
    return (value: number | bigint) =>
      isBigInt(to) ? BigInt(value) : typeof value === "bigint" ? Number(BigInt.asIntN(32, value)) : value;
  }
  return (value: number) => {
    if (Number.isNaN(value)) return whole(0);
    if (value <= Number(low)) return whole(low);
    return value >= Number(high) ? whole(high) : whole(Math.trunc(value));
  };
}

/** The nearest float32. By way of the nearest float64 it would be rounded twice: low digits are taken together first. */
function singleOf(value: bigint): number {
  if (value >= -(2n ** 53n) && value <= 2n ** 53n) return Number(value);
  const rest = value & 2047n;
  return Number(rest === 0n ? value : (value - rest) | 1024n);
}

/** The smallest and the largest number of an integer type, or of bool. */
export function integerRange(dtype: DType): readonly [bigint, bigint] {
  if (dtype === "bool") return [0n, 1n];
  const bits = BigInt(dtype.replace(/^u?int/, ""));
  return dtype.startsWith("u") ? [0n, (1n << bits) - 1n] : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n];
}

/** Row-major strides, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** Nested JSON arrays of any rank, as a flat tensor. A plain number is a scalar. */
export function fromNested<D extends DType>(dtype: D, nested: unknown): Tensor<D> {
  const shape: number[] = [];
  for (let level = nested; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > shownAxes) throw new ShapeError(`Arrays are nested deeper than ${shownAxes} levels.`);
  }
  const flat: number[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (depth < shape.length) {
      if (!Array.isArray(value) || value.length !== shape[depth]) {
        throw new ShapeError(
          `Nested arrays must be rectangular: at depth ${depth} an array of length ${shape[depth]} was expected.`,
        );
      }
      for (const item of value) visit(item, depth + 1);
    } else if (typeof value === "number") flat.push(value);
    else {
      const found = Array.isArray(value)
        ? "an array"
        : typeof value === "object"
          ? "an object"
          : typeof value === "string"
            ? JSON.stringify(value)
            : `${String(value)}${typeof value === "bigint" ? "n" : ""}`;
      throw new ShapeError(`Nested arrays must hold numbers only, but ${found} was found.`);
    }
  };
  visit(nested, 0);
  return tensor(dtype, shape, flat);
}

/** The tensor as nested arrays of numbers, for JSON. */
export function toNested(t: Tensor): unknown {
  const flat = numbers(t);
  const nest = (axis: number, offset: number, size: number): unknown => {
    if (axis === t.shape.length) return flat[offset];
    const dim = t.shape[axis]!;
    const step = dim === 0 ? 0 : size / dim;
    return Array.from({ length: dim }, (_, i) => nest(axis + 1, offset + i * step, step));
  };
  return nest(0, 0, flat.length);
}
