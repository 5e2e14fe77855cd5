import { shown } from "../core/printable.js";
import { emptyData, showShape, sizeOf, type Tensor } from "../core/tensor.js";
import { repeatedKey } from "./json-keys.js";
import {
  forbiddenName,
  maxHeaderBytes,
  metadataName,
  SafetensorsError,
  storedDTypes,
} from "./safetensors-format.js";

export interface SafetensorsFile {
  readonly tensors: Record<string, Tensor>;
  /** Empty if the file has none. */
  readonly metadata: Record<string, string>;
}

/** One checked entry of the header. */
interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * The tensors and metadata of a safetensors file. F16 and BF16 are widened to float32; all else keeps its dtype and
 * its exact bits. The tensors own their data: the bytes may be reused afterwards. Nothing is trusted: the header is
 * checked as a whole before any tensor is made, and no more memory is taken than the file has bytes (twice that for
 * the half precisions).
 *
 * @throws {SafetensorsError} if the bytes are not a valid file, or hold a dtype without a counterpart here
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes);
  const body = bytes.subarray(dataStart);
  const entries: Entry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === metadataName) metadata = checkMetadata(value);
    else entries.push(checkEntry(name, value));
  }
  checkLayout(entries, body.length);
  const tensors: Record<string, Tensor> = {};
  for (const entry of entries) tensors[entry.name] = readTensor(entry, body);
  return { tensors, metadata };
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < 8) {
    throw truncated(`the file has ${bytes.length} bytes, fewer than the 8 that hold the header's length`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw new SafetensorsError(
      `The file claims a header of ${length} bytes, but the format allows ${maxHeaderBytes}; ` +
        "this is hardly a safetensors file: check that it is not of another format.",
    );
  }
  const dataStart = 8 + Number(length);
  if (dataStart > bytes.length) {
    throw truncated(`the header should end at byte ${dataStart}, but the file has ${bytes.length}`);
  }
  return { header: parseHeader(bytes.subarray(8, dataStart)), dataStart };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw invalid("the header is not UTF-8", cause);
  }
  if (!text.startsWith("{")) throw invalid("the header does not start with {");
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw invalid(`the header is not JSON: ${(cause as Error).message}`, cause);
  }
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw invalid(`the name ${shown(repeated)} occurs twice in the header`);
  return header;
}

function checkMetadata(value: unknown): Record<string, string> {
  if (!isRecord(value)) throw invalid(`"${metadataName}" is not an object of texts`);
  for (const [key, text] of Object.entries(value)) {
    if (key === forbiddenName) throw invalid(`a metadata entry is named "${forbiddenName}"`);
    if (typeof text !== "string") throw invalid(`the metadata entry ${shown(key)} is not a text`);
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown): Entry {
  if (name === forbiddenName)
    throw invalid(`a ${tensorNamed(name)} would change the prototype of what holds it`);
  if (!isRecord(value)) throw invalid(`${tensorNamed(name)} is described by something that is no object`);
  const { dtype, shape, data_offsets: offsets } = value;
  const stored = typeof dtype === "string" ? storedDTypes.get(dtype) : undefined;
  if (stored === undefined) {
    throw new SafetensorsError(
      `In this safetensors file ${tensorNamed(name)} has the dtype ${typeof dtype === "string" ? shown(dtype) : `of a JSON ${typeof dtype}`}, which revort does not read; ` +
        `convert it to one of ${[...storedDTypes.keys()].join(", ")} and save the file again.`,
    );
  }
  if (!isCounts(shape))
    throw invalid(`the shape of ${tensorNamed(name)} is not a list of whole numbers, 0 or more`);
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw invalid(`the offsets of ${tensorNamed(name)} are not two whole numbers, 0 or more`);
  }
  const [begin, end] = offsets as [number, number];
  // Without a zero the product grows from left to right, so one that lost digits is beyond any file's size.
  const needed = shape.includes(0) ? 0 : sizeOf(shape) * stored.bytes;
  if (end - begin !== needed) {
    throw invalid(
      `${tensorNamed(name)} (${dtype}, shape ${showShape(shape)}) needs ${needed} bytes, ` +
        `but its offsets [${begin}, ${end}] span ${end - begin}`,
    );
  }
  return { name, dtype: dtype as string, shape, begin, end };
}

/** Tensors must tile the data: each starts where the one before ends, and the last ends with the file. */
function checkLayout(entries: readonly Entry[], length: number): void {
  let at = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < at)
      throw invalid(`${tensorNamed(name)} starts at byte ${begin} and overlaps the one that ends at ${at}`);
    if (begin > at) throw invalid(`${begin - at} bytes before ${tensorNamed(name)} belong to no tensor`);
    if (end > length)
      throw truncated(`${tensorNamed(name)} ends at byte ${end} of the data, but there are ${length}`);
    at = end;
  }
  if (at < length) throw invalid(`the last ${length - at} bytes belong to no tensor`);
}

function readTensor({ name, dtype, shape, begin, end }: Entry, body: Uint8Array): Tensor {
  const { host, bytes, widen } = storedDTypes.get(dtype)!;
  const raw = body.subarray(begin, end);
  const size = raw.length / bytes;
  const data = widen === undefined ? emptyData(host, size) : new Uint16Array(size);
  new Uint8Array(data.buffer).set(raw);
  if (widen !== undefined) return { dtype: host, shape, data: widen(data as Uint16Array) };
  if (host === "bool" && raw.some((byte) => byte > 1)) {
    throw invalid(`${tensorNamed(name)} is BOOL but holds a byte other than 0 and 1`);
  }
  return { dtype: host, shape, data };
}

function tensorNamed(name: string): string {
  return `tensor ${shown(name)}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function truncated(what: string): SafetensorsError {
  return new SafetensorsError(
    `The safetensors file is cut short: ${what}; ` +
      "copy or download it again, and check that its writer ended normally.",
  );
}

function invalid(what: string, cause?: unknown): SafetensorsError {
  return new SafetensorsError(
    `The safetensors file is not valid: ${what}; write it again with a conforming writer.`,
    { cause },
  );
}
