import { hasRunFile, readRunText, removeRunFile, resultFiles, runFiles } from "./run-files.js";
import { copyNames } from "./run-inputs.js";

/** What runs of models leave beside what all runs do, where they do not name it themselves. */
const modelFiles = ["predict.onnx", "tokenizer.json"];

/** A file of the folder itself, by a name that experiments give, or that copies of data have. */
const isOwn = (name: unknown): name is string =>
  typeof name === "string" && (/^[a-z0-9-]+\.(onnx|svg|png)$/.test(name) || /^data-[^/\\]+$/.test(name));

/**
 * Removes the run in a folder, of whatever kind, and nothing that is not its own. The checkpoint goes first, the settings
 * last: what is left after a power cut is neither continued with the settings of another run nor taken for none.
 */
export async function removeRun(folder: string): Promise<void> {
  const names = [...resultFiles, ...(await namesOfRun(folder))].filter((name) => name !== runFiles.settings);
  for (const name of [runFiles.checkpoint, ...names, runFiles.settings]) await removeRunFile(folder, name);
}

/** The files of the run in a folder that not every run has. */
export async function namesOfRun(folder: string): Promise<string[]> {
  return [...modelFiles, copyNames.init, ...(await namedIn(folder))];
}

/** The files that the settings of a run name. */
async function namedIn(folder: string): Promise<string[]> {
  if (!(await hasRunFile(folder, runFiles.settings))) return [];
  try {
    const { files, task, settings } = JSON.parse(await readRunText(folder, runFiles.settings)) as {
      files?: unknown[];
      task?: { dataFiles?: unknown[] };
      settings?: { dataFile?: unknown };
    };
    return [...(files ?? []), ...(task?.dataFiles ?? []), settings?.dataFile].filter(isOwn);
  } catch {
    // damaged settings name nothing
    return [];
  }
}
