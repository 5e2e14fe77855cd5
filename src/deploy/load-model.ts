import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { decode } from "../graph/decode.js";
import type { ExternalData } from "../graph/decode-tensor.js";
import { ExternalDataError, type Model, ModelError, shown } from "../graph/model.js";

/** A protocol buffer holds no more. */
const maxBytes = 2 ** 31;
/** How often each byte of external data may be used, on average: small files must not fill the memory. */
const maxSharing = 4;

/**
 * Reads an `.onnx` file, with the tensor data that it keeps beside it. Such data are read from the model's own folder
 * and those below it only, wherever the file says they are: a model is no program, and must not read what it likes.
 *
 * @throws {ModelError} if the file cannot be read or is no valid model
 * @throws {ExternalDataError} if tensor data are missing, out of range, or outside the model's folder
 */
export async function loadModel(path: string): Promise<Model> {
  const bytes = readModel(path);
  const folder = realpathSync(dirname(path));
  const claimed = new Map<string, number>();
  return decode(bytes, { source: path, readExternal: (data) => readExternal(folder, data, claimed) });
}

function readModel(path: string): Uint8Array {
  let real: string;
  try {
    real = realpathSync(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (!lstatSync(real).isFile()) {
    throw new ModelError(`${path} is not a file. Give the path of an .onnx file.`);
  }
  return withFile(
    real,
    (cause) => unreadable(path, cause),
    (file) => {
      const { size } = fstatSync(file);
      if (size < maxBytes) return readRange(file, 0, size);
      throw new ModelError(
        `${path} has ${size} bytes, but an .onnx file has less than ${maxBytes}. Save its tensors as external data.`,
      );
    },
  );
}

function unreadable(path: string, cause: unknown): ModelError {
  return new ModelError(
    `${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}). ` +
      "Check the path and the permissions.",
    { cause },
  );
}

/**
 * @param folder  the model's folder, without symbolic links
 * @param claimed  bytes read so far from each file
 */
function readExternal(
  folder: string,
  { tensor, location, offset, length }: ExternalData,
  claimed: Map<string, number>,
): Uint8Array {
  const refused = (why: string, cause?: unknown) =>
    new ExternalDataError(
      `The data of the tensor ${shown(tensor)} are said to be in ${shown(location)}, ${why}`,
      cause === undefined ? {} : { cause },
    );
  const outside =
    "outside the model's folder. Put the file beside the model, without links, and export it again.";
  if (isAbsolute(location) || location.includes("\0") || /^[a-z]:|\\/i.test(location)) throw refused(outside);
  if (location.split("/").includes("..")) throw refused(outside);
  const missing = (cause: unknown) =>
    refused(
      `which cannot be read (${(cause as NodeJS.ErrnoException).code}). Copy it along with the model.`,
      cause,
    );
  let real: string;
  try {
    real = realpathSync(join(folder, location));
  } catch (cause) {
    throw missing(cause);
  }
  if (relative(folder, real).split(sep)[0] === ".." || isAbsolute(relative(folder, real)))
    throw refused(outside);
  if (!lstatSync(real).isFile()) throw refused("which is not a plain file. Export the model again.");
  return withFile(real, missing, (file) => {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw refused("which is not a plain file. Export the model again.");
    const total = (claimed.get(real) ?? 0) + length;
    claimed.set(real, total);
    if (total > maxSharing * Math.max(stat.size, 1 << 20)) {
      throw refused(`as are so many others that they claim ${total} of its ${stat.size} bytes.`);
    }
    if (offset + length <= stat.size) return readRange(file, offset, length);
    throw refused(
      `from byte ${offset} to ${offset + length}, but the file ends at byte ${stat.size}. ` +
        "It is not the one that belongs to the model, or it is cut short: copy it again.",
    );
  });
}

/** Opens a file for as long as it is read. It is neither followed if it became a link, nor waited for. */
function withFile<T>(path: string, failed: (cause: unknown) => Error, read: (file: number) => T): T {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    throw failed(cause);
  }
  try {
    return read(file);
  } finally {
    closeSync(file);
  }
}

/** Exactly `length` bytes, or fewer if the file is cut short while it is read. */
function readRange(file: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = readSync(file, bytes, done, Math.min(length - done, 2 ** 30), offset + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}
