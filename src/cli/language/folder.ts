import { join } from "node:path";
import { z } from "zod";
import { printableJson } from "../../core/printable.js";
import { version } from "../../version.js";
import { hasRunFile, readRunText, removeRunFile, runFiles, writeRunFile } from "../run-files.js";
import { checkHoldsRun, RunFolderError } from "../run-folder.js";
import { runKind } from "../run-kind.js";
import { tokenizerFile } from "./request.js";
import { type LanguageSettings, languageSettings } from "./settings.js";

// The folder of a run of a language model: as other runs, with `predict.onnx` in the place of a field.

/** Files that only these runs have. */
export const languageFiles = { prediction: "predict.onnx", tokenizer: tokenizerFile } as const;

/** All that a run may leave, the settings last: a folder without them holds no run. */
const everything = [
  ...[runFiles.checkpoint, runFiles.parameters, runFiles.losses, runFiles.result],
  ...[languageFiles.prediction, languageFiles.tokenizer, "losses.svg", "losses.png", runFiles.settings],
];

/** Grows when runs of an older version can no longer be continued. */
const format = 1;

const manifest = z.object({
  format: z.literal(format),
  revort: z.string(),
  languageModel: languageSettings,
});

/**
 * Begins a run in a folder.
 *
 * @param tokenizer  the text of its tokenizer.json, where it has one
 * @throws {RunFolderError} for a folder that holds another run
 */
export async function beginLanguageRun(
  folder: string,
  settings: LanguageSettings,
  tokenizer: string | null,
  overwrite: boolean,
): Promise<void> {
  if (await hasRunFile(folder, runFiles.settings)) {
    if (!overwrite) {
      throw new RunFolderError(
        `${folder} holds a run already. Continue it with --resume ${folder}, replace it with --overwrite, or choose ` +
          "another folder with --out.",
      );
    }
    for (const name of everything) await removeRunFile(folder, name);
  }
  if (tokenizer !== null) await writeRunFile(folder, languageFiles.tokenizer, tokenizer);
  await writeLanguageSettings(folder, settings);
}

export async function writeLanguageSettings(folder: string, settings: LanguageSettings): Promise<void> {
  const content = { format, revort: version, languageModel: settings } satisfies z.infer<typeof manifest>;
  await writeRunFile(folder, runFiles.settings, `${printableJson(content, 2)}\n`);
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
  const found = manifest.safeParse(JSON.parse(await readRunText(folder, runFiles.settings)));
  if (!found.success) {
    const [issue] = found.error.issues;
    throw new RunFolderError(
      `${join(folder, runFiles.settings)} is damaged, or of another version: ${issue!.path.join(".")}: ${issue!.message}. ` +
        "Start a new run.",
    );
  }
  const settings = found.data.languageModel;
  const hasFile = settings.tokenizer === languageFiles.tokenizer;
  return { settings, tokenizer: hasFile ? await readRunText(folder, languageFiles.tokenizer) : null };
}
