import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { notAFile } from "./file-kind.js";
import { StorageError } from "./storage-error.js";

/**
 * The path of a file in a folder that others may have filled. What has the folder leads nowhere else: neither the file
 * nor a folder on the way to it may be a symbolic link, and what is there already must be a plain file.
 *
 * @param name  relative to the folder, with `/` between its parts and no `..` among them
 * @throws {StorageError} naming what is there instead
 */
export async function plainPath(action: "read" | "write", folder: string, name: string): Promise<string> {
  let path = folder;
  const parts = name.split("/");
  for (const [i, part] of parts.entries()) {
    path = join(path, part);
    const stats = await lstat(path).catch(() => undefined);
    // what is missing is seen by whoever reads it, or made
    if (stats === undefined) break;
    if (stats.isSymbolicLink()) {
      throw new StorageError(
        action,
        path,
        `Cannot ${action} ${JSON.stringify(path)}: it is a symbolic link, which is not followed out of ` +
          `${JSON.stringify(folder)}; put the file itself there.`,
      );
    }
    if (i === parts.length - 1 && !stats.isFile()) throw notAFile(action, path, stats);
  }
  return join(folder, ...parts);
}

/** Whether a folder has something of a name, be it a link that leads nowhere. */
export async function holds(folder: string, name: string): Promise<boolean> {
  return lstat(join(folder, name)).then(
    () => true,
    () => false,
  );
}
