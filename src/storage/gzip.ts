import { gunzipSync } from "node:zlib";
import { DataError } from "./data-error.js";

/** More than any data set that is read whole has. */
const mostBytes = 2 ** 30;

/** The bytes of a file, unpacked where they are packed by gzip. @throws {DataError} for what cannot be unpacked */
export function unpacked(bytes: Uint8Array, source: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: mostBytes });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(
      { source },
      `it cannot be unpacked by gunzip (${why}); download it again, or unpack it`,
      { cause },
    );
  }
}
