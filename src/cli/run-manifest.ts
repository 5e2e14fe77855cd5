import { join } from "node:path";
import type { z } from "zod";
import { printableJson } from "../core/printable.js";
import { version } from "../version.js";
import { readRunText, runFiles, writeRunFile } from "./run-files.js";
import { checkHoldsRun, RunFolderError } from "./run-folder.js";

// `run.json` of runs of models: a record under the name of their kind.

/** Grows when runs of an older version can no longer be continued. */
export const modelRunFormat = 1;

export async function writeManifest(folder: string, content: object): Promise<void> {
  const manifest = { format: modelRunFormat, revort: version, ...content };
  await writeRunFile(folder, runFiles.settings, `${printableJson(manifest, 2)}\n`);
}

/** @throws {RunFolderError | StorageError} for a folder without a run, or with a damaged one or one of another version */
export async function readManifest<T>(folder: string, schema: z.ZodType<T>): Promise<T> {
  await checkHoldsRun(folder);
  const found = schema.safeParse(JSON.parse(await readRunText(folder, runFiles.settings)));
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  throw new RunFolderError(
    `${join(folder, runFiles.settings)} is damaged, or of another version: ${issue!.path.join(".")}: ${issue!.message}. ` +
      "Start a new run.",
  );
}
