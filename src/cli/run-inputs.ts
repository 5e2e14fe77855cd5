import { basename, dirname, isAbsolute, join } from "node:path";
import { RevortError } from "../core/errors.js";
import { loadModel } from "../deploy/load-model.js";
import { decode } from "../graph/decode.js";
import { plainPath } from "../storage/plain-path.js";
import { readBytes } from "../storage/read.js";
import type { Sources } from "./problem.js";
import { fieldFolder, readRunFile, readRunText } from "./run-files.js";
import { isModelFile, type RunSettings } from "./run-settings.js";

/** Files that a run keeps copies of, by their names in its folder, so that it goes on without the originals. */
export type RunInputs = ReadonlyMap<string, Uint8Array | string>;

/** A run whose settings name files outside its folder. */
export class RunInputError extends RevortError {}

/** What the copies are called. */
export const copyNames = {
  data: (path: string) => `data-${basename(path)}`,
  init: "initial-params.safetensors",
  field: (path: string) => `${fieldFolder}/${basename(path)}`,
} as const;

/** A model and the files that hold its tensors, as they are called in a run's folder. */
export async function modelInputs(path: string): Promise<RunInputs> {
  const bytes = await readBytes(path);
  const locations = new Set<string>();
  // loadModel has judged these places already; here they are only listed
  decode(bytes, {
    source: path,
    readExternal({ location, length }) {
      locations.add(location);
      return new Uint8Array(length);
    },
  });
  const files = new Map([[copyNames.field(path), bytes]]);
  for (const location of locations) {
    files.set(
      `${dirname(copyNames.field(path))}/${location}`,
      await readBytes(join(dirname(path), location)),
    );
  }
  return files;
}

/** The data and the imported field of a run. */
export async function readSources(folder: string, { dataFile, field }: RunSettings): Promise<Sources> {
  return {
    data:
      dataFile === null
        ? null
        : { name: dataFile.replace(/^data-/, ""), text: await readRunText(folder, inside(folder, dataFile)) },
    model: isModelFile(field)
      ? await loadModel(await plainPath("read", folder, inside(folder, field)))
      : null,
  };
}

/** The initial parameters that a run was given, if it was. */
export async function readInit(folder: string, { init }: RunSettings): Promise<Uint8Array | null> {
  return init === null ? null : readRunFile(folder, inside(folder, init));
}

/** All that a run was made from, for a copy of it. */
export async function readInputs(folder: string, { dataFile, init, field }: RunSettings): Promise<RunInputs> {
  const inputs = new Map(
    isModelFile(field) ? await modelInputs(await plainPath("read", folder, inside(folder, field))) : [],
  );
  for (const name of [dataFile, init])
    if (name !== null) inputs.set(name, await readRunFile(folder, inside(folder, name)));
  return inputs;
}

/** Files of a run are in its folder, whatever its settings say. @throws {RunInputError} */
export function inside(folder: string, name: string): string {
  if (!isAbsolute(name) && !name.includes("\0") && !name.split(/[/\\]/).includes("..")) return name;
  throw new RunInputError(
    `The run ${folder} names the file ${name}, which is outside its folder. Start a new run.`,
  );
}
