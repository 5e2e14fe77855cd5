import { rm, stat } from "node:fs/promises";
import { StorageError, writeAtomic } from "../storage/atomic.js";
import { storageError } from "../storage/storage-error.js";

/**
 * Makes sure that a file can be written, before the work that it is for.
 *
 * @throws {StorageError} as writing it would
 */
export async function checkWritable(path: string): Promise<void> {
  const there = await stat(path).catch(() => null);
  if (there?.isDirectory()) throw storageError("write", path, { code: "EISDIR", message: "it is a folder" });
  const probe = `${path}.${process.pid}.probe`;
  try {
    await writeAtomic(probe, "");
    await rm(probe, { force: true });
  } catch (error) {
    // of the file that was meant
    throw storageError("write", path, error instanceof StorageError ? error.cause : error);
  }
}
