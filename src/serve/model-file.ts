import { type BigIntStats, constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { RevortError } from "../core/errors.js";
import type { ModelFile } from "./messages.js";

/** A file that is no longer the one that was found. */
export class ChangedFileError extends RevortError {}

/** What tells a file from what it was before, and from another of its name. */
function signatureOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino}:${size}:${mtimeNs}`;
}

/** @returns `null` where there is no file */
export async function fileSignature(path: string): Promise<string | null> {
  const stats = await stat(path, { bigint: true }).catch(() => null);
  return stats === null ? null : signatureOf(stats);
}

/**
 * The bytes of a file as it was when it was found.
 *
 * @throws {ChangedFileError} where it is another by now, or becomes one while it is read
 */
export async function readModelFile({ path, signature }: ModelFile): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause) => {
    throw changed(path, cause);
  });
  try {
    const before = signatureOf(await file.stat({ bigint: true }));
    if (before !== signature) throw changed(path);
    const bytes = await file.readFile();
    if (signatureOf(await file.stat({ bigint: true })) !== signature) throw changed(path);
    return bytes;
  } finally {
    await file.close();
  }
}

function changed(path: string, cause?: unknown): ChangedFileError {
  return new ChangedFileError(`${path} has changed or gone since it was found. It will be looked at again.`, {
    cause,
  });
}
