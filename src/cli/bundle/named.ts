import { readFileSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { loadModel } from "../../deploy/load-model.js";
import { decode } from "../../graph/decode.js";
import { storageError } from "../../storage/storage-error.js";
import type { ArchiveEntry } from "../../storage/tar.js";
import { UsageError } from "../usage.js";
import { filesUnder } from "./packages.js";

/** What a process leaves in folders that it has or had: see storage/lock.ts and storage/atomic.ts. */
const passing = /(^|\/)lock-[0-9a-f]{8}\.json$|\.tmp$/;

/**
 * Runs, models and data that go along, under the paths by which they are named, so that commands are the same there: those
 * outside of this folder by their last names. Links in folders are not followed. A model takes the files of its tensors along.
 *
 * @throws {StorageError} for a path that does not exist
 * @throws {ModelError} for a model that cannot be read
 * @throws {UsageError} for two things of one name
 */
export async function namedFiles(
  paths: readonly string[],
  taken: ReadonlySet<string>,
): Promise<ArchiveEntry[]> {
  const found = new Map<string, string>();
  const add = (name: string, path: string): void => {
    const other = found.get(name);
    if (other === resolve(path)) return;
    if (other !== undefined || taken.has(name.split("/")[0]!))
      throw new UsageError(
        `${path} would be ${name} in the bundle, which something else is. Rename it, or name it from another folder.`,
      );
    found.set(name, resolve(path));
  };
  for (const path of paths) {
    const name = nameOf(path);
    if (isFolder(path)) {
      for (const file of filesUnder(path)) if (!passing.test(file)) add(`${name}/${file}`, join(path, file));
      continue;
    }
    add(name, path);
    if (!name.endsWith(".onnx")) continue;
    const folder = name.includes("/") ? `${dirname(name)}/` : "";
    for (const data of await dataBeside(path)) add(`${folder}${data}`, join(dirname(path), data));
  }
  return [...found].map(([name, path]) => ({ name, executable: false, content: () => readFileSync(path) }));
}

/** The path as it is named, or its last part where it leads out of this folder. */
function nameOf(path: string): string {
  const within = relative(process.cwd(), resolve(path));
  const isOutside = within === "" || isAbsolute(within) || within.split(sep)[0] === "..";
  return isOutside ? basename(resolve(path)) : within.split(sep).join("/");
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw storageError("read", path, cause);
  }
}

/**
 * The files in which a model has tensors, relative to its folder.
 *
 * @throws {ModelError} if it is none
 * @throws {ExternalDataError} if one of them is missing
 */
async function dataBeside(path: string): Promise<string[]> {
  // it refuses what is missing, or outside of the model's folder
  await loadModel(path);
  const files = new Set<string>();
  decode(readFileSync(path), {
    source: path,
    readExternal({ location, length }) {
      files.add(location);
      return new Uint8Array(length);
    },
  });
  return [...files];
}
