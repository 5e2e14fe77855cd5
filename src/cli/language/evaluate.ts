import { basename } from "node:path";
import { languageModel } from "../../language/language-model.js";
import { type TokenizedText, windowsOf } from "../../language/text.js";
import { evaluate } from "../../models/measuring.js";
import { decodeSafetensors } from "../../storage/safetensors.js";
import type { Console } from "../console.js";
import type { EvaluateCommandOptions, Evaluation } from "../results/evaluation.js";
import { hasRunFile, readRunFile, runFiles } from "../run-files.js";
import { RunFolderError } from "../run-folder.js";
import { openRuntime } from "../runtimes.js";
import { openLanguageRun } from "./folder.js";
import { perplexityOf } from "./report.js";
import { checkTexts, partsOf, readTexts, textsOf, tokenizerNamed } from "./texts.js";
import { threadsFor, withThreads } from "./threads.js";

/**
 * Loss and perplexity of a language model on a text: its validation text, or another. They are means over all windows of the
 * text, where training may look at some of them.
 */
export async function evaluateLanguage(
  folder: string,
  { data: path, runtime: asked }: EvaluateCommandOptions,
  console: Console,
): Promise<Evaluation> {
  const { settings, tokenizer: file } = await openLanguageRun(folder);
  if (!(await hasRunFile(folder, runFiles.parameters))) {
    throw new RunFolderError(
      `The run ${folder} has not ended yet. Continue it with: revort train --resume ${folder}.`,
    );
  }
  const tokenizer = await tokenizerNamed(settings.tokenizer, file);
  const { tensors: parameters } = decodeSafetensors(await readRunFile(folder, runFiles.parameters));
  const language = languageModel(settings.kind, settings.configuration);
  const paths = (sources: readonly { readonly path: string }[]) => sources.map((source) => source.path);
  let text: TokenizedText;
  if (path === undefined) {
    const own = "share" in settings.validation ? [] : settings.validation;
    const texts = await textsOf(tokenizer, paths(settings.data), paths(own));
    checkTexts(settings, texts);
    text = partsOf(texts, settings)[1];
  } else ({ text } = await readTexts(tokenizer, [path]));
  const name = path === undefined ? "validation text" : basename(path);
  const windows = windowsOf(`The ${name}`, text, settings.configuration.length);
  const opened = await openRuntime(asked ?? settings.runtime, { say: console.note });
  const runtime = withThreads(opened, threadsFor(settings.configuration));
  const all = Array.from({ length: windows.count }, (_, i) => i);
  const { loss, metrics } = await evaluate(language.task, windows.samples(all), {
    ...{ runtime, parameters, dtype: settings.dtype },
    atOnce: Math.ceil(settings.batchSize / settings.accumulate),
  });
  const { token, word } = perplexityOf(loss, text);
  return {
    ...{ run: folder, experiment: "revdeq-lm", step: null, lossUnit: "nats per token" },
    measures: {
      [name]: { loss, metrics: { "perplexity per token": token, "perplexity per word": word, ...metrics } },
    },
    ...{ errors: null, start: null, warning: null },
  };
}
