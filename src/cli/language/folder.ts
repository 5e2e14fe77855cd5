import { z } from "zod";
import { hasRunFile, readRunText, writeRunFile } from "../run-files.js";
import { checkHoldsRun, RunFolderError } from "../run-folder.js";
import { runKind } from "../run-kind.js";
import { modelRunFormat, readManifest, writeManifest } from "../run-manifest.js";
import { tokenizerFile } from "./request.js";
import { type LanguageSettings, languageSettings } from "./settings.js";

// The folder of a run of a language model: as other runs, with `predict.onnx` in the place of a field.

/** Files that only these runs have. */
export const languageFiles = { prediction: "predict.onnx", tokenizer: tokenizerFile } as const;

const manifest = z.object({ format: z.literal(modelRunFormat), languageModel: languageSettings });

/** @param tokenizer  the text of its tokenizer.json, where it has one that is not there yet */
export async function writeLanguageRun(
  folder: string,
  settings: LanguageSettings,
  tokenizer: string | null,
): Promise<void> {
  if (tokenizer !== null) await writeRunFile(folder, languageFiles.tokenizer, tokenizer);
  await writeManifest(folder, { languageModel: settings });
}

/** The settings of a run, and the text of its tokenizer.json. @throws {RunFolderError | StorageError} */
export async function openLanguageRun(
  folder: string,
): Promise<{ readonly settings: LanguageSettings; readonly tokenizer: string | null }> {
  await checkHoldsRun(folder);
  if ((await runKind(folder)) !== "languageModel") {
    throw new RunFolderError(
      `${folder} is not the run of a language model. Train one: revort train revdeq-lm --out FOLDER.`,
    );
  }
  const { languageModel: settings } = await readManifest(folder, manifest);
  const hasFile =
    settings.tokenizer === languageFiles.tokenizer && (await hasRunFile(folder, languageFiles.tokenizer));
  return { settings, tokenizer: hasFile ? await readRunText(folder, languageFiles.tokenizer) : null };
}
