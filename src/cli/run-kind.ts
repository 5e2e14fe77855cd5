import { hasRunFile, readRunText, runFiles } from "./run-files.js";

/** What the run in a folder trains; `null` where there is none, or none that can be read. */
export async function runKind(folder: string): Promise<"task" | "languageModel" | "trajectories" | null> {
  if (!(await hasRunFile(folder, runFiles.settings))) return null;
  try {
    const said = JSON.parse(await readRunText(folder, runFiles.settings)) as object;
    if (Object.hasOwn(said, "languageModel")) return "languageModel";
    return Object.hasOwn(said, "task") ? "task" : "trajectories";
  } catch {
    return null;
  }
}
