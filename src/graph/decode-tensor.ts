import type { TensorProto } from "onnx-buf";
import { TensorProto_DataLocation as DataLocation } from "onnx-buf";
import {
  type DType,
  dtypes,
  emptyData,
  isBigInt,
  showShape,
  type Tensor,
  type TensorData,
} from "../core/tensor.js";
import { ExternalDataError, ModelError, shown } from "./model.js";
import { onnxTypeNumber } from "./types.js";

/** Where a tensor's bytes lie outside the model's own file. */
export interface ExternalData {
  readonly tensor: string;
  /** a path relative to the model's folder, as the file has it: not to be trusted */
  readonly location: string;
  readonly offset: number;
  /** bytes; what the tensor's type and shape need */
  readonly length: number;
}

/** Fetches external data: exactly `length` bytes. */
export type ReadExternal = (data: ExternalData) => Uint8Array;

const maxRank = 64;

/** The element types of ONNX that revort does not hold. */
const otherTypes: Readonly<Record<number, string>> = {
  8: "string",
  10: "float16",
  14: "complex64",
  15: "complex128",
  16: "bfloat16",
  17: "float8e4m3fn",
  18: "float8e4m3fnuz",
  19: "float8e5m2",
  20: "float8e5m2fnuz",
  21: "uint4",
  22: "int4",
  23: "float4e2m1",
  24: "float8e8m0",
  25: "uint2",
  26: "int2",
};

/** @throws {ModelError} for an element type that revort does not hold */
export function dtypeAt(number: number, where: string): DType {
  const dtype = dtypes.find((name) => onnxTypeNumber[name] === number);
  if (dtype !== undefined) return dtype;
  throw new ModelError(
    `${where} has the element type ${otherTypes[number] ?? `number ${number}`}, which revort does not hold. ` +
      "Export the model in float32 or float64, without quantisation.",
  );
}

/**
 * A tensor of a file, with its own copy of the data.
 *
 * @throws {ModelError} if its type is not one of revort's, or its data do not fill its shape
 * @throws {ExternalDataError} if its data are elsewhere and cannot be had
 */
export function decodeTensor(proto: TensorProto, where: string, readExternal?: ReadExternal): Tensor {
  const dtype = dtypeAt(proto.dataType, where);
  const { shape, size } = checkedShape(proto.dims, where);
  if (proto.segment !== undefined) {
    throw new ModelError(`${where} is stored in segments, which no exporter writes. Save the model again.`);
  }
  const bytes = size * emptyData(dtype, 0).BYTES_PER_ELEMENT;
  const made = { dtype, shape };
  if (proto.dataLocation === DataLocation.EXTERNAL) {
    return ofBytes(made, external(proto, where, bytes, readExternal), where, size);
  }
  const listed = listedValues(proto, dtype);
  if (proto.rawData.length > 0 || listed.length === 0) {
    if (listed.length > 0) {
      throw new ModelError(`${where} has its data twice, raw and as a list. Save the model again.`);
    }
    return ofBytes(made, proto.rawData, where, size);
  }
  return ofList(made, listed, where, size);
}

function checkedShape(dims: readonly bigint[], where: string): { shape: number[]; size: number } {
  const shape = dims.map(Number);
  const valid = shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  const size = shape.includes(0) ? 0 : shape.reduce((product, dim) => product * dim, 1);
  if (!valid || shape.length > maxRank || !Number.isSafeInteger(size)) {
    const list = dims.length > 8 ? `${dims.slice(0, 8).join(", ")}, …` : dims.join(", ");
    throw new ModelError(
      `${where} has the shape [${list}], which no tensor can have: dimensions are whole numbers, 0 or more, ` +
        `at most ${maxRank} of them. The file is damaged; export it again.`,
    );
  }
  return { shape, size };
}

interface Made {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

function ofBytes({ dtype, shape }: Made, bytes: Uint8Array, where: string, size: number): Tensor {
  const width = emptyData(dtype, 0).BYTES_PER_ELEMENT;
  // the length is compared before anything of that length is made
  if (bytes.length !== size * width) throw misfit(where, { dtype, shape }, `${bytes.length} bytes`, size);
  const data = emptyData(dtype, size);
  new Uint8Array(data.buffer).set(bytes);
  if (dtype === "bool" && bytes.some((byte) => byte > 1)) {
    throw new ModelError(`${where} is of type bool but holds a byte other than 0 and 1. Export it again.`);
  }
  return { dtype, shape, data } as Tensor;
}

/** The field that holds the values of each type, one by one. */
function listedValues(proto: TensorProto, dtype: DType): readonly (number | bigint)[] {
  switch (dtype) {
    case "float32":
      return proto.floatData;
    case "float64":
      return proto.doubleData;
    case "int64":
      return proto.int64Data;
    case "uint32":
    case "uint64":
      return proto.uint64Data;
    default:
      return proto.int32Data;
  }
}

function ofList(
  { dtype, shape }: Made,
  values: readonly (number | bigint)[],
  where: string,
  size: number,
): Tensor {
  if (values.length !== size) throw misfit(where, { dtype, shape }, `${values.length} values`, size);
  const data = emptyData(dtype, size) as TensorData;
  const exact = dtype !== "float32" && dtype !== "float64";
  for (let i = 0; i < size; i++) {
    const value = values[i]!;
    data[i] = isBigInt(dtype) ? BigInt(value) : Number(value);
    if (exact && BigInt(data[i]!) !== BigInt(value)) {
      throw new ModelError(
        `${where} holds ${value}, which is out of the range of ${dtype}. Export the model again.`,
      );
    }
  }
  if (dtype === "bool" && values.some((value) => Number(value) > 1)) {
    throw new ModelError(`${where} is of type bool but holds a value other than 0 and 1. Export it again.`);
  }
  return { dtype, shape, data } as Tensor;
}

function misfit(where: string, { dtype, shape }: Made, given: string, size: number): ModelError {
  const bytes = size * emptyData(dtype, 0).BYTES_PER_ELEMENT;
  return new ModelError(
    `${where} is ${dtype}${showShape(shape)} and needs ${size} values (${bytes} bytes), but the file has ${given}. ` +
      "The file is damaged or cut short; export it again.",
  );
}

function external(
  proto: TensorProto,
  where: string,
  length: number,
  readExternal: ReadExternal | undefined,
): Uint8Array {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  if (location === "") {
    throw new ExternalDataError(`${where} says that its data lie in another file, but not in which one.`);
  }
  const offset = wholeNumber(entries.get("offset") ?? "0", "offset", where);
  const given = entries.get("length");
  if (given !== undefined && wholeNumber(given, "length", where) !== length) {
    throw new ExternalDataError(
      `${where} needs ${length} bytes, but is said to have ${given} in ${shown(location)}. Export the model again.`,
    );
  }
  if (readExternal === undefined) {
    throw new ExternalDataError(
      `${where} has its data in another file, ${shown(location)}. ` +
        "Load the model from its path, with that file beside it, or export it in one file.",
    );
  }
  const bytes = readExternal({ tensor: proto.name, location, offset, length });
  if (bytes.length === length) return bytes;
  throw new ExternalDataError(
    `${where} needs ${length} bytes of ${shown(location)}, but ${bytes.length} were read.`,
  );
}

function wholeNumber(text: string, what: string, where: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new ExternalDataError(
    `${where} has the ${what} ${shown(text)} in its external data, which is not a whole number. Export the model again.`,
  );
}
