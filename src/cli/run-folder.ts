import { mkdir, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { RevortError } from "../core/errors.js";
import { printableJson, shown } from "../core/printable.js";
import { decodeCheckpoint, encodeCheckpoint } from "../deploy/checkpoint-file.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkParameters } from "../integrate/solve.js";
import { storageError } from "../storage/storage-error.js";
import type { Checkpoint } from "../train/checkpoint.js";
import { parametersOf } from "../train/train.js";
import { version } from "../version.js";
import type { Sources } from "./problem.js";
import {
  clearRun,
  hasRunFile,
  readRunFile,
  readRunText,
  removeRunFile,
  runFiles,
  writeRunFile,
} from "./run-files.js";
import { type RunInputs, readSources } from "./run-inputs.js";
import { removeRun } from "./run-removal.js";
import { type RunSettings, runSettings } from "./run-settings.js";

/** A folder that holds no run, a damaged one, one of another version, or one that would be overwritten. */
export class RunFolderError extends RevortError {}

/** Grows when runs of an older version can no longer be continued. */
const format = 1;

const manifest = z.object({ format: z.literal(format), revort: z.string(), settings: runSettings });

/**
 * Begins a run: its folder, its settings, and copies of what it was made from.
 *
 * @returns undoes it, for a request that turns out to be wrong
 * @throws {RunFolderError | StorageError}
 */
export async function beginRun(
  folder: string,
  settings: RunSettings,
  inputs: RunInputs,
  overwrite: boolean,
): Promise<() => Promise<void>> {
  if (await hasRunFile(folder, runFiles.settings)) {
    if (!overwrite) {
      throw new RunFolderError(
        `${folder} holds a run already. Continue it with --resume ${folder}, replace it with --overwrite, ` +
          "or choose another folder with --out.",
      );
    }
    await removeRun(folder);
  }
  const written = [...inputs.keys(), runFiles.settings];
  const undo = async () => {
    for (const name of written) await removeRunFile(folder, name);
    // the inner folders first, "." last; one that holds anything else stays
    const folders = [...new Set(written.map(dirname))].sort((a, b) => b.length - a.length);
    for (const name of folders) await rmdir(join(folder, name)).catch(() => undefined);
  };
  try {
    await clearRun(folder, inputs.keys());
    for (const [name, content] of inputs) await writeRunFile(folder, name, content);
    await writeSettings(folder, settings);
  } catch (error) {
    await undo().catch(() => undefined);
    throw error;
  }
  return undo;
}

export async function writeSettings(folder: string, settings: RunSettings): Promise<void> {
  const content = { format, revort: version, settings } satisfies z.infer<typeof manifest>;
  await writeRunFile(folder, runFiles.settings, `${printableJson(content, 2)}\n`);
}

/** @throws {RunFolderError} */
export async function checkHoldsRun(folder: string): Promise<void> {
  if (await hasRunFile(folder, runFiles.settings)) return;
  throw new RunFolderError(`${folder} holds no run of revort: there is no ${runFiles.settings} in it.`);
}

/** The settings and files of a run. @throws {RunFolderError | StorageError | ModelError} */
export async function openRun(folder: string): Promise<{ settings: RunSettings; sources: Sources }> {
  await checkHoldsRun(folder);
  const path = join(folder, runFiles.settings);
  const damaged = (why: string, cause?: unknown) =>
    new RunFolderError(`${path} is damaged: ${why.replace(/\.$/, "")}. Start a new run.`, { cause });
  const text = await readRunText(folder, runFiles.settings);
  let json: { format?: unknown; revort?: unknown } | null;
  try {
    json = JSON.parse(text) as typeof json;
  } catch (cause) {
    throw damaged((cause as Error).message, cause);
  }
  if (typeof json !== "object" || json === null || typeof json.format !== "number")
    throw damaged("it says no format");
  if (Object.hasOwn(json, "languageModel")) {
    throw new RunFolderError(
      `${folder} is the run of a language model. Its predict.onnx maps tokens to logits; revort generate goes on with texts.`,
    );
  }
  if (Object.hasOwn(json, "task")) {
    throw new RunFolderError(
      `${folder} is not the fit of a single trajectory: the .onnx files in it are ready to use, and revort train ` +
        "--resume goes on with it.",
    );
  }
  if (json.format !== format) {
    throw new RunFolderError(
      `${folder} was written by revort ${json.revort ?? "of an unknown version"} (run format ${json.format}), ` +
        `but this is revort ${version} (run format ${format}). Use that version for it, or start a new run.`,
    );
  }
  const settings = settingsIn(json, damaged);
  return { settings, sources: await readSources(folder, settings) };
}

/** @throws {RunFolderError} for settings that say something impossible, or not enough */
function settingsIn(json: object, damaged: (why: string, cause: unknown) => RunFolderError): RunSettings {
  try {
    return manifest.parse(json).settings;
  } catch (cause) {
    if (!(cause instanceof z.ZodError)) throw damaged((cause as Error).message, cause);
    const [issue] = cause.issues;
    throw damaged(`${issue!.path.join(".")}: ${issue!.message}`, cause);
  }
}

export async function saveCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  await writeRunFile(folder, runFiles.checkpoint, encodeCheckpoint(checkpoint));
}

/** The last checkpoint of a run, or `null` if it stopped before the first. @throws {CheckpointError | StorageError} */
export async function loadCheckpoint(folder: string): Promise<Checkpoint | null> {
  if (!(await hasRunFile(folder, runFiles.checkpoint))) return null;
  const bytes = await readRunFile(folder, runFiles.checkpoint);
  return decodeCheckpoint(bytes, join(folder, runFiles.checkpoint));
}

/** A run goes on with its own checkpoint. @throws {RunFolderError} for one of another field or type */
export function checkCheckpoint({ field, dtype }: NeuralOde, { trained }: Checkpoint): void {
  const foreign = (why: string, cause?: unknown) =>
    new RunFolderError(`The checkpoint belongs to another run: ${why} Start a new run.`, { cause });
  const parameters = parametersOf(trained);
  try {
    checkParameters(field, parameters, { dtype });
  } catch (cause) {
    throw foreign((cause as Error).message, cause);
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (value.dtype !== dtype)
      throw foreign(`its ${shown(name)} is ${value.dtype}, but the run is ${dtype}.`);
  }
}

/** Makes `runs/name`, or `runs/name-2`, … where that is taken. @throws {StorageError} */
export async function freshFolder(name: string): Promise<string> {
  const make = (folder: string) =>
    mkdir(folder).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "EEXIST") return false;
        throw storageError("write", folder, error);
      },
    );
  await make("runs");
  for (let i = 1; ; i++) {
    const folder = join("runs", i === 1 ? name : `${name}-${i}`);
    if (await make(folder)) return folder;
  }
}
