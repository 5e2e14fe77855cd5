import { generator } from "../../language/generation.js";
import { languageModel } from "../../language/language-model.js";
import type { SamplingOptions } from "../../language/sampling.js";
import { decodeSafetensors } from "../../storage/safetensors.js";
import type { Console } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { hasRunFile, readRunFile, runFiles } from "../run-files.js";
import { RunFolderError } from "../run-folder.js";
import { explainOnce, openRuntime, type RuntimeName } from "../runtimes.js";
import { openLanguageRun } from "./folder.js";
import { tokenizerNamed } from "./texts.js";
import { threadsFor, withThreads } from "./threads.js";

export interface GenerateCommandOptions extends SamplingOptions {
  readonly prompt: string;
  readonly tokens?: number;
  readonly seed?: number;
  readonly runtime?: RuntimeName;
  readonly threads?: number;
  readonly json?: boolean;
}

/**
 * `revort generate`: goes on with a text, token by token, with the parameters of a run that were best on its validation text.
 *
 * @returns the exit code
 */
export async function generateCommand(
  run: string,
  options: GenerateCommandOptions,
  console: Console,
): Promise<number> {
  const { prompt, tokens = 100, seed = 0, temperature = 1, topK, topP } = options;
  const { settings, tokenizer: file } = await openLanguageRun(run);
  if (!(await hasRunFile(run, runFiles.parameters))) {
    throw new RunFolderError(
      `The run ${run} has no ${runFiles.parameters}: it has not ended yet. Continue it with: revort train --resume ${run}.`,
    );
  }
  const tokenizer = await tokenizerNamed(settings.tokenizer, file);
  const { tensors: parameters } = decodeSafetensors(await readRunFile(run, runFiles.parameters));
  const language = languageModel(settings.kind, settings.configuration);
  const say = console.note;
  const opened = await openRuntime(options.runtime ?? settings.runtime, {
    say,
    explain: explainOnce(say, ["step"]),
  });
  const runtime = withThreads(opened, options.threads ?? threadsFor(settings.configuration));
  const own = await generator(language, {
    ...{ runtime, parameters, dtype: settings.dtype, vocabulary: tokenizer.vocabulary },
  });
  const sampling = {
    temperature,
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
  };
  try {
    const beginning = [...tokenizer.encode(prompt)];
    // a text without a beginning is one that stands after the end of another
    if (beginning.length === 0 && tokenizer.endOfText !== null) beginning.push(tokenizer.endOfText);
    const started = performance.now();
    const drawn: number[] = [];
    for await (const token of own.generate(beginning, { tokens, seed, ...sampling })) {
      drawn.push(token);
      if (console.stopSignal().aborted) break;
    }
    const seconds = (performance.now() - started) / 1000;
    const text = tokenizer.decode(drawn);
    if (options.json) {
      console.json({
        ...{ run, prompt, text, tokens: drawn, seed, ...sampling, seconds },
        tokensPerSecond: drawn.length / seconds,
      });
    } else console.stdout.write(`${prompt}${text}\n`);
    return console.stopSignal().aborted ? exitCodes.interrupted : exitCodes.done;
  } finally {
    await own.release();
  }
}
