import { type DType, DTypeError, dtypes } from "../core/tensor.js";

/** ONNX's TensorProto.DataType numbers. */
export const onnxTypeNumber: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

/** @throws {DTypeError} for element types revort does not hold (float16, strings, …) */
export function dtypeOfNumber(number: number, where: string): DType {
  const dtype = dtypes.find((name) => onnxTypeNumber[name] === number);
  if (dtype !== undefined) return dtype;
  throw new DTypeError(
    `${where} has ONNX element type ${number}, which revort does not support. ` +
      `Export the model with one of ${dtypes.join(", ")}.`,
  );
}
