import { open, stat } from "node:fs/promises";
import { notAFile } from "./file-kind.js";
import { StorageError, storageError } from "./storage-error.js";

/** Bytes that are read at once. */
const partSize = 1 << 20;

/**
 * The text of a file in parts, of which one is held at a time, without its byte-order mark.
 *
 * @throws {StorageError} as the parts are read: if the file is missing or no plain file, or if it is not UTF-8
 */
export async function* textParts(path: string): AsyncGenerator<string> {
  const failed = (cause: unknown) => storageError("read", path, cause);
  const there = await stat(path).catch((cause) => {
    throw failed(cause);
  });
  if (!there.isFile()) throw notAFile("read", path, there);
  const file = await open(path).catch((cause) => {
    throw failed(cause);
  });
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const bytes = new Uint8Array(partSize);
    for (let done = false; !done; ) {
      const { bytesRead } = await file.read(bytes, 0, partSize).catch((cause) => {
        throw failed(cause);
      });
      done = bytesRead === 0;
      const text = decoded(decoder, bytes.subarray(0, bytesRead), !done, path);
      if (text !== "") yield text;
    }
  } finally {
    await file.close();
  }
}

function decoded(decoder: TextDecoder, bytes: Uint8Array, stream: boolean, path: string): string {
  try {
    return decoder.decode(bytes, { stream });
  } catch (cause) {
    throw new StorageError(
      "read",
      path,
      `Cannot read ${JSON.stringify(path)} as text: it is not UTF-8; save it as UTF-8.`,
      { cause },
    );
  }
}
