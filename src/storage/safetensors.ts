import { type DataOf, type DType, showShape, sizeOf, type Tensor } from "../core/tensor.js";
import {
  forbiddenName,
  maxHeaderBytes,
  metadataName,
  SafetensorsError,
  storedAs,
} from "./safetensors-format.js";

export { decodeSafetensors, type SafetensorsFile } from "./safetensors-decode.js";
export { SafetensorsError } from "./safetensors-format.js";

/**
 * Tensors as the bytes of a safetensors file:
 *
 *   u64 n (little-endian) | JSON header, n bytes, padded with spaces to a multiple of 8 | the tensors' bytes
 *
 * Tensors lie next to each other, widest dtype first and then by name (in UTF-8 order), as the reference
 * implementation lays them out: equal content gives equal bytes, whatever the order of the record. Bytes are
 * little-endian, as on every machine that ONNX Runtime supports.
 *
 * @throws {SafetensorsError} if a name is reserved or not Unicode, the data does not fit its shape, or the header
 *   would be longer than the format allows
 * @see https://huggingface.co/docs/safetensors
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(tensors).map(([name, tensor]) => {
    checkName(name, "A tensor");
    if (name === metadataName) {
      throw new SafetensorsError(
        `A tensor is named "${metadataName}", which the format reserves; rename it.`,
      );
    }
    checkTensor(name, tensor);
    return { name, tensor, stored: storedAs(tensor.dtype) };
  });
  entries.sort((a, b) => b.stored.rank - a.stored.rank || compareUtf8(a.name, b.name));

  const header: [string, unknown][] = [];
  if (metadata !== undefined) header.push([metadataName, sortedMetadata(metadata)]);
  let offset = 0;
  for (const { name, tensor, stored } of entries) {
    const end = offset + tensor.data.byteLength;
    header.push([name, { dtype: stored.name, shape: tensor.shape, data_offsets: [offset, end] }]);
    offset = end;
  }

  const json = paddedHeader(header);
  const bytes = new Uint8Array(8 + json.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  let at = 8 + json.length;
  for (const { tensor } of entries) {
    bytes.set(bytesOf(tensor.data), at);
    at += tensor.data.byteLength;
  }
  return bytes;
}

/** Written pair by pair: an object would put names like "1" before all others. */
function paddedHeader(entries: readonly [string, unknown][]): Uint8Array {
  const pairs = entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const text = new TextEncoder().encode(`{${pairs.join(",")}}`);
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  padded.set(text);
  if (padded.length > maxHeaderBytes) {
    throw new SafetensorsError(
      `The header would be ${padded.length} bytes, but the format allows ${maxHeaderBytes}; ` +
        "split the tensors over several files, or shorten their names and the metadata.",
    );
  }
  return padded;
}

function sortedMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(metadata).sort(([a], [b]) => compareUtf8(a, b));
  for (const [key, value] of entries) {
    checkName(key, "A metadata entry");
    if (typeof value !== "string" || loneSurrogate.test(value)) {
      throw new SafetensorsError(
        `The metadata entry ${JSON.stringify(key)} is not Unicode text; the format holds text only, ` +
          "so write other values with JSON.stringify.",
      );
    }
  }
  return Object.fromEntries(entries);
}

const loneSurrogate = /\p{Surrogate}/u;

function checkName(name: string, what: string): void {
  if (name === forbiddenName || loneSurrogate.test(name)) {
    throw new SafetensorsError(
      `${what} is named ${JSON.stringify(name)}, which cannot be stored safely; choose another name.`,
    );
  }
}

function checkTensor(name: string, { dtype, shape, data }: Tensor): void {
  if (shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) && data.length === sizeOf(shape)) return;
  throw new SafetensorsError(
    `Tensor ${JSON.stringify(name)} (${dtype}) has ${data.length} values, ` +
      `which do not fit its shape ${showShape(shape)}; give it as many values as its shape holds.`,
  );
}

/** By code point, which is the order of the UTF-8 bytes (`<` compares UTF-16 units, which is another). */
function compareUtf8(a: string, b: string): number {
  const left = new TextEncoder().encode(a);
  const right = new TextEncoder().encode(b);
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) if (left[i] !== right[i]) return left[i]! - right[i]!;
  return left.length - right.length;
}

function bytesOf(data: DataOf[DType]): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
