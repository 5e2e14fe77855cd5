import { access } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { RevortError } from "../core/errors.js";
import { loadModel } from "../deploy/load-model.js";
import { decodeCheckpoint, encodeCheckpoint } from "../deploy/checkpoint-file.js";
import { readBytes, readText, writeAtomic } from "../storage/atomic.js";
import type { Checkpoint } from "../train/checkpoint.js";
import { version } from "../version.js";
import type { Sources } from "./problem.js";
import { type RunSettings, runSettings } from "./run-settings.js";

/** A folder that holds no run, one of another version, or one that would be overwritten. */
export class RunFolderError extends RevortError {}

/** The files of a run. */
export const runFiles = {
  settings: "run.json",
  checkpoint: "checkpoint.safetensors",
  parameters: "params.safetensors",
  field: "field.onnx",
  losses: "losses.csv",
  result: "result.json",
} as const;

/** Grows when runs of an older version can no longer be continued. */
const format = 1;

const manifest = z.object({ format: z.literal(format), revort: z.string(), settings: runSettings });

/** Begins a run: its folder, its settings, and copies of what it was made from. @throws {RunFolderError | StorageError} */
export async function beginRun(
  folder: string,
  settings: RunSettings,
  sources: { readonly data: string | null; readonly model: Uint8Array | null },
  overwrite: boolean,
): Promise<void> {
  if (!overwrite && (await exists(join(folder, runFiles.settings)))) {
    throw new RunFolderError(
      `${folder} holds a run already. Continue it with --resume ${folder}, replace it with --overwrite, ` +
        "or choose another folder with --out.",
    );
  }
  if (settings.dataFile !== null) await writeAtomic(join(folder, settings.dataFile), sources.data!);
  if (sources.model !== null) await writeAtomic(join(folder, settings.field), sources.model);
  const content = { format, revort: version, settings } satisfies z.infer<typeof manifest>;
  await writeAtomic(join(folder, runFiles.settings), `${JSON.stringify(content, null, 2)}\n`);
}

/** The settings and files of a run. @throws {RunFolderError | StorageError | ModelError} */
export async function openRun(folder: string): Promise<{ settings: RunSettings; sources: Sources }> {
  const path = join(folder, runFiles.settings);
  if (!(await exists(path))) {
    throw new RunFolderError(`${folder} holds no run of revort: there is no ${runFiles.settings} in it.`);
  }
  const text = await readText(path);
  let json: { format?: unknown; revort?: unknown };
  try {
    json = JSON.parse(text) as typeof json;
  } catch (cause) {
    throw new RunFolderError(`${path} is damaged: ${(cause as Error).message}. Start a new run.`, { cause });
  }
  if (json?.format !== format) {
    throw new RunFolderError(
      `${folder} was written by revort ${json?.revort ?? "of an unknown version"} (run format ${json?.format}), ` +
        `but this is revort ${version} (run format ${format}). Use that version for it, or start a new run.`,
    );
  }
  const parsed = manifest.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new RunFolderError(`${path} is damaged: ${issue!.path.join(".")}: ${issue!.message}. Start a new run.`);
  }
  const { settings } = parsed.data;
  return { settings, sources: await readSources(folder, settings) };
}

async function readSources(folder: string, settings: RunSettings): Promise<Sources> {
  const within = (name: string) => join(folder, basename(name));
  return {
    data:
      settings.dataFile === null
        ? null
        : { name: settings.dataFile, text: await readText(within(settings.dataFile)) },
    model: settings.field.endsWith(".onnx") ? await loadModel(within(settings.field)) : null,
  };
}

export async function saveCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  await writeAtomic(join(folder, runFiles.checkpoint), encodeCheckpoint(checkpoint));
}

/** The last checkpoint of a run, or `null` if it stopped before the first. */
export async function loadCheckpoint(folder: string): Promise<Checkpoint | null> {
  const path = join(folder, runFiles.checkpoint);
  return (await exists(path)) ? decodeCheckpoint(await readBytes(path), path) : null;
}

/** `runs/name`, or `runs/name-2`, … where that is taken. */
export async function freshFolder(name: string): Promise<string> {
  for (let i = 1; ; i++) {
    const folder = join("runs", i === 1 ? name : `${name}-${i}`);
    if (!(await exists(folder))) return folder;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
