import { RevortError } from "../core/errors.js";
import type { DType } from "../core/tensor.js";
import { widenBfloat16, widenFloat16 } from "./half.js";

/** Bytes that are not a valid safetensors file, or tensors that the format cannot hold. */
export class SafetensorsError extends RevortError {}

/** The longest header that the format allows. */
export const maxHeaderBytes = 100_000_000;

/** The entry of the header that holds the file's metadata instead of a tensor. */
export const metadataName = "__metadata__";

/** A name that would change an object's prototype rather than name an entry of it. */
export const forbiddenName = "__proto__";

/** What one dtype of the format is on the host. */
interface StoredDType {
  readonly bytes: number;
  /** The dtype on the host; float32 for the two half precisions, which are widened. */
  readonly host: DType;
  readonly widen?: (bits: Uint16Array) => Float32Array<ArrayBuffer>;
}

/**
 * The dtypes of the format that revort reads, in the order in which the reference implementation ranks them:
 * tensors of a later dtype are laid out first, so that every tensor is aligned.
 *
 * @see https://github.com/huggingface/safetensors, enum `Dtype`
 */
export const storedDTypes: ReadonlyMap<string, StoredDType> = new Map<string, StoredDType>([
  ["BOOL", { bytes: 1, host: "bool" }],
  ["U8", { bytes: 1, host: "uint8" }],
  ["I8", { bytes: 1, host: "int8" }],
  ["I16", { bytes: 2, host: "int16" }],
  ["U16", { bytes: 2, host: "uint16" }],
  ["F16", { bytes: 2, host: "float32", widen: widenFloat16 }],
  ["BF16", { bytes: 2, host: "float32", widen: widenBfloat16 }],
  ["I32", { bytes: 4, host: "int32" }],
  ["U32", { bytes: 4, host: "uint32" }],
  ["F32", { bytes: 4, host: "float32" }],
  ["F64", { bytes: 8, host: "float64" }],
  ["I64", { bytes: 8, host: "int64" }],
  ["U64", { bytes: 8, host: "uint64" }],
]);

/** The name of a host dtype in the format, and its rank in the layout. */
export function storedAs(dtype: DType): { name: string; rank: number } {
  const names = [...storedDTypes.keys()];
  const rank = names.findIndex((name) => {
    const stored = storedDTypes.get(name)!;
    return stored.host === dtype && stored.widen === undefined;
  });
  return { name: names[rank]!, rank };
}
