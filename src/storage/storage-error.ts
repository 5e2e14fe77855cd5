import { RevortError } from "../core/errors.js";

/** A file that could not be read or written. */
export class StorageError extends RevortError {
  constructor(
    readonly action: "read" | "write",
    readonly path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What went wrong and what to do about it, by the system's error code. */
const remedies: Readonly<Record<string, string>> = {
  EACCES: "permission is denied; change the permissions or choose another place",
  EPERM: "permission is denied; change the permissions or choose another place",
  EROFS: "the file system is read-only; choose another place",
  ENOSPC: "the disk is full; free some space or choose another place",
  EDQUOT: "the disk quota is used up; free some space or choose another place",
  EFBIG: "the file would be larger than is allowed here; choose another place or raise the limit",
  EISDIR: "it is a folder; name a file inside it",
  ENOTDIR: "a part of the path is a file, not a folder; correct the path or move that file away",
  EEXIST: "a part of the path is a file, not a folder; correct the path or move that file away",
  ENOENT: "there is no such place; check the path",
  ENAMETOOLONG: "the name is too long; choose a shorter one",
  ENXIO: "it is a socket or a device that is not there; name a file",
  ELOOP: "symbolic links lead round in a circle; correct them",
  ERR_FS_FILE_TOO_LARGE: "it is larger than 2 GiB; cut it, or thin it out",
  EMFILE: "too many files are open; raise the limit (ulimit -n)",
};

/** A system error, as an error that people can act on. */
export function storageError(action: "read" | "write", path: string, cause: unknown): StorageError {
  return new StorageError(action, path, `Cannot ${action} ${JSON.stringify(path)}: ${reasonOf(cause)}.`, {
    cause,
  });
}

/** What a system error means, and what to do about it; without a full stop. */
export function reasonOf(cause: unknown): string {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  return Object.hasOwn(remedies, code) ? remedies[code]! : `${message}; check the path and the disk`;
}
