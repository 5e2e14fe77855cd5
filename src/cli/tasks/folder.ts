import { join } from "node:path";
import { z } from "zod";
import { printableJson } from "../../core/printable.js";
import { decodeCheckpoint } from "../../deploy/checkpoint-file.js";
import type { Checkpoint } from "../../train/checkpoint.js";
import { version } from "../../version.js";
import { hasRunFile, readRunFile, readRunText, removeRunFile, runFiles, writeRunFile } from "../run-files.js";
import { checkHoldsRun, RunFolderError } from "../run-folder.js";
import { type TaskSettings, taskSettings } from "./settings.js";

// The folder of a run of a task: as other runs, with the files of its experiment in the place of a field.

/** Grows when runs of an older version can no longer be continued. */
const format = 1;

const manifest = z.object({
  format: z.literal(format),
  revort: z.string(),
  task: taskSettings,
  /** what the run has written of its experiment */
  files: z.array(z.string()),
});

/** A run as its folder has it. */
export interface TaskRun {
  readonly settings: TaskSettings;
  readonly data: readonly Uint8Array[];
  readonly checkpoint: Checkpoint | null;
}

/**
 * Begins a run in a folder.
 *
 * @throws {RunFolderError} for a folder that holds another run
 */
export async function beginTaskRun(
  folder: string,
  settings: TaskSettings,
  data: readonly Uint8Array[],
  overwrite: boolean,
): Promise<void> {
  if (await hasRunFile(folder, runFiles.settings)) {
    if (!overwrite) {
      throw new RunFolderError(
        `${folder} holds a run already. Continue it with --resume ${folder}, replace it with --overwrite, or choose ` +
          "another folder with --out.",
      );
    }
    const own = [runFiles.checkpoint, runFiles.parameters, runFiles.losses, runFiles.result];
    // the checkpoint first: what is left after a power cut must not be continued with the settings of another run
    for (const name of [...own, ...(await filesOf(folder)), runFiles.settings])
      await removeRunFile(folder, name);
  }
  for (const [i, name] of settings.dataFiles.entries()) await writeRunFile(folder, name, data[i]!);
  await writeTaskSettings(folder, settings);
}

/** @param files  what the run has written of its experiment */
export async function writeTaskSettings(
  folder: string,
  settings: TaskSettings,
  files: readonly string[] = [],
): Promise<void> {
  const content = { format, revort: version, task: settings, files: [...files] } satisfies z.infer<
    typeof manifest
  >;
  await writeRunFile(folder, runFiles.settings, `${printableJson(content, 2)}\n`);
}

/** The names of charts and exports that a run of a task has written; none of another kind of run. */
async function filesOf(folder: string): Promise<readonly string[]> {
  try {
    return manifest.parse(JSON.parse(await readRunText(folder, runFiles.settings))).files.filter(isPlain);
  } catch {
    return [];
  }
}

/** A file of the folder itself, by a name that experiments give. */
const isPlain = (name: string): boolean => /^[a-z0-9-]+\.(onnx|svg|png)$/.test(name);

/** @throws {RunFolderError | StorageError | CheckpointError} */
export async function openTaskRun(folder: string): Promise<TaskRun> {
  await checkHoldsRun(folder);
  const found = manifest.safeParse(JSON.parse(await readRunText(folder, runFiles.settings)));
  if (!found.success) {
    const [issue] = found.error.issues;
    throw new RunFolderError(
      `${join(folder, runFiles.settings)} is damaged, or of another version: ${issue!.path.join(".")}: ${issue!.message}. ` +
        "Start a new run.",
    );
  }
  const settings = found.data.task;
  const outside = settings.dataFiles.find((name) => !/^data-[^/\\]+$/.test(name));
  if (outside !== undefined) {
    throw new RunFolderError(
      `${join(folder, runFiles.settings)} names data outside the run: ${outside}. Start a new run.`,
    );
  }
  return {
    settings,
    data: await Promise.all(settings.dataFiles.map((name) => readRunFile(folder, name))),
    checkpoint: (await hasRunFile(folder, runFiles.checkpoint))
      ? decodeCheckpoint(await readRunFile(folder, runFiles.checkpoint), join(folder, runFiles.checkpoint))
      : null,
  };
}
