import { randomBytes } from "node:crypto";
import { lstat, mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { notAFile } from "./file-kind.js";
import { StorageError, storageError } from "./storage-error.js";

/**
 * Writes a file whole or not at all, and its folders where they are missing: the data goes to a temporary file
 * beside it, is forced to disk, and only then takes the name. Whoever reads at any moment, or after a crash, finds
 * the old content or the new. A symbolic link to a file is followed, and the mode of a file that is replaced is kept.
 *
 * Not through write-file-atomic 7.0.1: it takes a short write (a disk about to be full) for a whole one, and puts
 * the cut file in place of the good one without an error.
 *
 * @throws {StorageError} if the place cannot be written, or is taken by a device, a pipe, a folder or a link that leads
 *   nowhere, none of which is replaced; what was there before is then untouched
 */
export async function writeAtomic(path: string, data: Uint8Array | string): Promise<void> {
  await writing(path, async (target, mode) => {
    const temporary = temporaryOf(target);
    try {
      await writeDurably(temporary, data, mode);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(dirname(target));
  });
}

/**
 * Makes sure that a file can be written, before the work that it is for.
 *
 * @throws {StorageError} as `writeAtomic` would
 */
export async function checkWritable(path: string): Promise<void> {
  await writing(path, async (target) => {
    const temporary = temporaryOf(target);
    try {
      await writeDurably(temporary, "");
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

/**
 * Removes what killed processes left behind of files that they were writing.
 *
 * @param isOurs  whether a file of this name is written by nobody else, and by nobody now
 */
export async function clearTemporaries(folder: string, isOurs: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const written = temporaryName.exec(name)?.[1];
    if (written !== undefined && isOurs(written)) await rm(join(folder, name), { force: true });
  }
}

function temporaryOf(target: string): string {
  return `${target}.${randomBytes(4).toString("hex")}.tmp`;
}

/** Earlier versions put a UUID there. */
const temporaryName = /^(.+)\.(?:[0-9a-f]{8}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.tmp$/s;

/** Does the work of writing with the place that a path stands for, and the mode of the file there. */
async function writing(path: string, work: (target: string, mode?: number) => Promise<void>): Promise<void> {
  try {
    await makeFolders(dirname(path));
    const there = await stat(path).catch(() => undefined);
    if (there === undefined && (await lstat(path).catch(() => undefined))?.isSymbolicLink()) {
      throw new StorageError(
        "write",
        path,
        `Cannot write ${JSON.stringify(path)}: it is a symbolic link that leads nowhere; remove it or name a file.`,
      );
    }
    if (there !== undefined && !there.isFile()) throw notAFile("write", path, there);
    // standard output that the shell leads into a file: to replace the file would take away what is written there
    if (there !== undefined && /^\/(dev|proc)\//.test(resolve(path))) {
      throw new StorageError(
        "write",
        path,
        `Cannot write ${JSON.stringify(path)}: it is a name of a file that is open already; name the file itself.`,
      );
    }
    await work(there === undefined ? path : await realpath(path), there && there.mode & 0o7777);
  } catch (cause) {
    throw cause instanceof StorageError ? cause : storageError("write", path, cause);
  }
}

/** Makes a folder and those on the way to it, where they are missing. @throws {StorageError} */
export async function makeFolder(path: string): Promise<void> {
  await makeFolders(path).catch((cause) => {
    throw storageError("write", path, cause);
  });
}

/** Step by step: `mkdir` with `recursive` never returns where the system refuses with ENOENT, as in /proc (Node 20). */
async function makeFolders(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isDirectory()) return;
  if (dirname(path) !== path) await makeFolders(dirname(path));
  await mkdir(path).catch(async (error: NodeJS.ErrnoException) => {
    // Someone else may have made it just now.
    if (error.code !== "EEXIST" || !(await stat(path)).isDirectory()) throw error;
  });
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
