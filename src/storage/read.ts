import { constants } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { nearName } from "../core/near-name.js";
import { notAFile } from "./file-kind.js";
import { StorageError, storageError } from "./storage-error.js";

/** Whoever opens a pipe or a device without this waits, perhaps for ever. Windows has none of them. */
const withoutWaiting = constants.O_NONBLOCK ?? 0;

/**
 * The bytes of a file, or of all that comes through a pipe: `/dev/stdin`, `<(command)`, a named pipe that is written to.
 *
 * @throws {StorageError} if it is missing (with the name that was perhaps meant), a folder, a device or a socket, not
 *   readable, or a pipe that nothing comes through
 */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return reading(path, async () => {
    // looked at before it is opened: to open a device may have effects
    const there = await stat(path);
    if (!there.isFile() && !there.isFIFO()) throw notAFile("read", path, there);
    return withFile(path, withoutWaiting, async (file) => {
      const stats = await file.stat();
      if (stats.isFIFO()) return readPipe(path, file);
      if (!stats.isFile()) throw notAFile("read", path, stats);
      return file.readFile();
    });
  });
}

/**
 * The names of what a folder holds.
 *
 * @throws {StorageError} if it is missing, not readable, or no folder
 */
export async function namesIn(path: string): Promise<string[]> {
  return explained(path, () => readdir(path));
}

/** As `readBytes`, of a plain file alone: neither a symbolic link nor a pipe is followed. */
export async function readPlainBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return reading(path, () =>
    withFile(path, withoutWaiting | (constants.O_NOFOLLOW ?? 0), async (file) => {
      const stats = await file.stat();
      if (!stats.isFile()) throw notAFile("read", path, stats);
      return file.readFile();
    }),
  );
}

/**
 * The text of a file, without its byte-order mark.
 *
 * @throws {StorageError} as `readBytes`, and if the file is not UTF-8
 */
export async function readText(path: string): Promise<string> {
  return textOf(await readBytes(path), path);
}

/** @throws {StorageError} for bytes that are not UTF-8 */
export function textOf(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const tooLong = (cause as NodeJS.ErrnoException).code === "ERR_STRING_TOO_LONG";
    const why = tooLong
      ? "it is longer than 512 MiB; cut it, or thin it out"
      : "it is not UTF-8; save it as UTF-8";
    throw new StorageError("read", path, `Cannot read ${JSON.stringify(path)} as text: ${why}.`, { cause });
  }
}

async function reading(path: string, read: () => Promise<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const { buffer, byteOffset, byteLength } = await explained(path, read);
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** What is read of a path. @throws {StorageError} in place of what the system says */
async function explained<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof StorageError) throw cause;
    throw (cause as NodeJS.ErrnoException).code === "ENOENT"
      ? await missing(path, cause)
      : storageError("read", path, cause);
  }
}

async function withFile<T>(path: string, flags: number, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, constants.O_RDONLY | flags);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Milliseconds that a pipe may wait for its first writer, and for the next bytes. */
const patience = { writer: 1_000, bytes: 60_000 } as const;
/** As much as a file that is read whole may have. */
const mostBytes = 2 ** 31;

async function readPipe(path: string, pipe: FileHandle): Promise<Uint8Array> {
  const failure = (why: string) =>
    new StorageError("read", path, `Cannot read ${JSON.stringify(path)}: it is a pipe ${why}.`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let since = performance.now(); ; ) {
    const chunk = new Uint8Array(65_536);
    // `null` where there is a writer, but nothing written yet
    const count = await pipe.read(chunk).then(
      ({ bytesRead }) => bytesRead,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "EAGAIN") return null;
        throw error;
      },
    );
    if (count === 0 && size > 0) return Buffer.concat(chunks);
    if (count !== null && count > 0) {
      chunks.push(chunk.subarray(0, count));
      size += count;
      if (size > mostBytes)
        throw failure("through which more than 2 GiB come; write them to a file and cut it");
      since = performance.now();
      continue;
    }
    const waited = performance.now() - since;
    if (count === 0 && waited > patience.writer) {
      throw failure("that nothing is written to; start what writes to it, or name a file");
    }
    if (waited > patience.bytes) {
      throw failure(`through which nothing came for ${patience.bytes / 1000} s; write to a file first`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
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
    { cause },
  );
}
