import { hasRunFile, readRunText, runFiles } from "../run-files.js";

/** Whether a folder holds the run of a language model. */
export async function holdsLanguageModel(folder: string): Promise<boolean> {
  if (!(await hasRunFile(folder, runFiles.settings))) return false;
  try {
    return Object.hasOwn(JSON.parse(await readRunText(folder, runFiles.settings)) as object, "languageModel");
  } catch {
    return false;
  }
}
