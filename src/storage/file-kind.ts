import type { Stats } from "node:fs";
import { StorageError } from "./storage-error.js";

/** What there is at a path, in words. */
export function kindOf(stats: Stats): string {
  if (stats.isFile()) return "a file";
  if (stats.isDirectory()) return "a folder";
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isFIFO()) return "a pipe";
  return stats.isSocket() ? "a socket" : "a device";
}

/** What is in the place of a file, and no file. */
export function notAFile(action: "read" | "write", path: string, stats: Stats): StorageError {
  const remedy = stats.isDirectory() ? "name a file inside it" : "name a file";
  return new StorageError(
    action,
    path,
    `Cannot ${action} ${JSON.stringify(path)}: it is ${kindOf(stats)}; ${remedy}.`,
  );
}
