import { lstat, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileSignature } from "./model-file.js";

/** A file that is to be served, as a folder has it now. */
export interface FoundFile {
  /** the name of its model */
  readonly name: string;
  readonly path: string;
  /** another one where the file has changed */
  readonly signature: string;
  /** why it cannot be served, where that is known already */
  readonly problem: string | null;
}

/**
 * The models in a folder: its `.onnx` files, and those of the folders in it, which are runs or of anybody's making. A model
 * is named after its file, or after its folder where that holds one alone; of several in a folder, after both:
 * `two-moons.sample`. Hidden files are no models, and in the folders nothing is read through links.
 */
export async function modelFiles(folder: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for (const entry of (await readdir(folder)).sort()) {
    if (entry.startsWith(".")) continue;
    const path = join(folder, entry);
    const stats = await stat(path).catch(() => null);
    if (stats?.isDirectory()) found.push(...(await filesOfFolder(path)));
    else if (stats?.isFile() && isModel(entry)) found.push(await fileAt(bareName(entry), path));
  }
  return withoutTwins(found);
}

async function filesOfFolder(folder: string): Promise<FoundFile[]> {
  const names = (await readdir(folder).catch(() => [])).filter(
    (name) => isModel(name) && !name.startsWith("."),
  );
  const files: string[] = [];
  for (const name of names.sort()) {
    const stats = await lstat(join(folder, name)).catch(() => null);
    if (stats?.isFile()) files.push(name);
  }
  const own = basename(folder);
  return Promise.all(
    files.map((name) => fileAt(files.length === 1 ? own : `${own}.${bareName(name)}`, join(folder, name))),
  );
}

async function fileAt(name: string, path: string): Promise<FoundFile> {
  return { name, path, signature: (await fileSignature(path)) ?? "gone", problem: null };
}

/** A name stands for one file; whichever it were of two, somebody would take it for the other. */
function withoutTwins(files: readonly FoundFile[]): FoundFile[] {
  const paths = new Map<string, string[]>();
  for (const { name, path } of files) paths.set(name, [...(paths.get(name) ?? []), path]);
  return [...paths].map(([name, all]) => {
    const first = files.find((file) => file.name === name)!;
    if (all.length === 1) return first;
    return { ...first, problem: `${all.join(" and ")} would have one name. Rename one of them.` };
  });
}

const isModel = (name: string): boolean => /.\.onnx$/i.test(name);
const bareName = (name: string): string => name.replace(/\.onnx$/i, "");
