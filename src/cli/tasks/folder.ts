import { join } from "node:path";
import { z } from "zod";
import { loadModel } from "../../deploy/load-model.js";
import type { Model } from "../../graph/model.js";
import { plainPath } from "../../storage/plain-path.js";
import { readRunFile, runFiles, writeRunFile } from "../run-files.js";
import { RunFolderError } from "../run-folder.js";
import { copyNames, inside, modelInputs, type RunInputs } from "../run-inputs.js";
import { modelRunFormat, readManifest, writeManifest } from "../run-manifest.js";
import { isModelFile } from "../run-settings.js";
import { type TaskSettings, taskSettings } from "./settings.js";

// The folder of a run of a task: as other runs, with the files of its experiment in the place of a field.

const manifest = z.object({
  format: z.literal(modelRunFormat),
  task: taskSettings,
  /** what the run has written of its experiment */
  files: z.array(z.string()),
});

/** A run as its folder has it. */
export interface TaskRun {
  readonly settings: TaskSettings;
  /** the files given with --data */
  readonly data: readonly Uint8Array[];
  /** the parameters that it starts with, as safetensors, where they were given */
  readonly init: Uint8Array | null;
  /** the field from a file that trajectories are fitted by, and the files that it is in */
  readonly field: { readonly model: Model; readonly files: RunInputs } | null;
  /** what it has written of its experiment */
  readonly files: readonly string[];
  /** what was decided that nobody asked for, where it is new */
  readonly notes?: readonly string[];
}

/** @param inPlace  whether everything but the settings is there already */
export async function writeTaskRun(
  folder: string,
  { settings, data, init, field, files }: TaskRun,
  inPlace: boolean,
): Promise<void> {
  if (!inPlace) {
    for (const [i, name] of settings.dataFiles.entries()) await writeRunFile(folder, name, data[i]!);
    if (init !== null) await writeRunFile(folder, copyNames.init, init);
    for (const [name, bytes] of field?.files ?? []) await writeRunFile(folder, name, bytes);
  }
  await writeManifest(folder, { task: settings, files: inPlace ? files : [] });
}

/** Names what a run is about to write of its experiment, so that who replaces the run finds all of it. */
export async function nameFiles(
  folder: string,
  settings: TaskSettings,
  files: readonly string[],
): Promise<void> {
  await writeManifest(folder, { task: settings, files });
}

/** @throws {RunFolderError | StorageError} */
export async function openTaskRun(folder: string): Promise<TaskRun> {
  const { task: settings, files } = await readManifest(folder, manifest);
  const outside = settings.dataFiles.find((name) => !/^data-[^/\\]+$/.test(name));
  if (outside !== undefined) {
    throw new RunFolderError(
      `${join(folder, runFiles.settings)} names data outside the run: ${outside}. Start a new run.`,
    );
  }
  return {
    ...{ settings, files },
    data: await Promise.all(settings.dataFiles.map((name) => readRunFile(folder, name))),
    init: settings.init ? await readRunFile(folder, copyNames.init) : null,
    field: await fieldIn(folder, settings.series?.field ?? null),
  };
}

/** The field of a run, where it is from a file. @throws {RunInputError | ModelError | StorageError} */
async function fieldIn(folder: string, name: string | null): Promise<TaskRun["field"]> {
  if (name === null || !isModelFile(name)) return null;
  const path = await plainPath("read", folder, inside(folder, name));
  return { model: await loadModel(path), files: await modelInputs(path) };
}
