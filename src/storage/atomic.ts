import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { nearName } from "../core/near-name.js";
import { StorageError, storageError } from "./storage-error.js";

export { StorageError } from "./storage-error.js";

/**
 * Writes a file whole or not at all, and its folders where they are missing: the data goes to a temporary file
 * beside it, is forced to disk, and only then takes the name. Whoever reads at any moment, or after a crash, finds
 * the old content or the new. A symbolic link is followed, and the mode of a file that is replaced is kept.
 *
 * Not through write-file-atomic 7.0.1: it takes a short write (a disk about to be full) for a whole one, and puts
 * the cut file in place of the good one without an error.
 *
 * @throws {StorageError} if the place cannot be written; what was there before is then untouched
 */
export async function writeAtomic(path: string, data: Uint8Array | string): Promise<void> {
  try {
    await makeFolder(dirname(path));
    const target = await realpath(path).catch(() => path);
    const temporary = `${target}.${randomUUID()}.tmp`;
    try {
      await writeDurably(temporary, data, await modeOf(target));
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(dirname(target));
  } catch (cause) {
    throw storageError("write", path, cause);
  }
}

/** Step by step: `mkdir` with `recursive` never returns where the system refuses with ENOENT, as in /proc (Node 20). */
async function makeFolder(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isDirectory()) return;
  if (dirname(path) !== path) await makeFolder(dirname(path));
  await mkdir(path).catch(async (error: NodeJS.ErrnoException) => {
    // Someone else may have made it just now.
    if (error.code !== "EEXIST" || !(await stat(path)).isDirectory()) throw error;
  });
}

async function modeOf(path: string): Promise<number | undefined> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isFile() ? stats.mode & 0o7777 : undefined;
}

async function writeDurably(path: string, data: Uint8Array | string, mode?: number): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(data);
    if (mode !== undefined) await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the new name itself durable, on systems that can open a folder (Windows cannot, and need not). */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  if (folder === undefined) return;
  await folder.sync().catch(() => undefined);
  await folder.close();
}

/**
 * The bytes of a file.
 *
 * @throws {StorageError} if it is missing (with the name that was perhaps meant), a folder, or not readable
 */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { buffer, byteOffset, byteLength } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === "ENOENT"
      ? await missing(path, cause)
      : storageError("read", path, cause);
  }
}

/**
 * The text of a file, without its byte-order mark.
 *
 * @throws {StorageError} as `readBytes`, and if the file is not UTF-8
 */
export async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const message = `Cannot read ${JSON.stringify(path)} as text: it is not UTF-8; save it as UTF-8.`;
    throw new StorageError("read", path, message, { cause });
  }
}

async function missing(path: string, cause: unknown): Promise<StorageError> {
  const folder = dirname(path);
  const names = await readdir(folder).catch(() => undefined);
  let remedy = `its folder ${JSON.stringify(folder)} does not exist either; check the path`;
  if (names !== undefined) {
    const near = nearName(basename(path), names);
    remedy =
      near === undefined ? "check the path" : `did you mean ${JSON.stringify(near)}, in the same folder?`;
  }
  const stop = remedy.endsWith("?") ? "" : ".";
  return new StorageError(
    "read",
    path,
    `Cannot read ${JSON.stringify(path)}: there is no such file; ${remedy}${stop}`,
    {
      cause,
    },
  );
}
