import { resolve } from "node:path";
import { printableJson } from "../../core/printable.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../deploy/checkpoint-file.js";
import { encodePrediction } from "../../deploy/model-file.js";
import { type LanguageModel, languageModel } from "../../language/language-model.js";
import { shuffledWindows, type TextWindows, windowsOf } from "../../language/text.js";
import { adamw } from "../../learning/optimisers.js";
import { constant, cosine, plateau, type Schedule, warmedUp } from "../../learning/schedules.js";
import { type FitResult, fit } from "../../models/fit.js";
import type { Runtime } from "../../runtime/runtime.js";
import { threadRuntime } from "../../runtimes/thread.js";
import type { ThreadedRuntime } from "../../runtimes/threaded-runtime.js";
import { readText } from "../../storage/read.js";
import { encodeSafetensors } from "../../storage/safetensors.js";
import type { Checkpoint } from "../../train/checkpoint.js";
import type { Console } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { progress } from "../progress.js";
import { hasRunFile, readRunFile, runFiles, writeRunFile } from "../run-files.js";
import { freshFolder } from "../run-folder.js";
import { type RunLock, runLock } from "../run-lock.js";
import { explainOnce, openRuntime, type RuntimeName } from "../runtimes.js";
import { UsageError } from "../usage.js";
import { beginLanguageRun, languageFiles, openLanguageRun, writeLanguageSettings } from "./folder.js";
import type { LanguageOptions } from "./options.js";
import { recipes } from "./recipes.js";
import { drawLosses, type LanguageReport, reportOf, summary } from "./report.js";
import { checkUnchanged, isTokenizerFile, settingsOf } from "./request.js";
import type { LanguageSettings } from "./settings.js";
import { checkTexts, partsOf, type Texts, textsOf, tokenizerNamed } from "./texts.js";
import { threadsFor, withThreads } from "./threads.js";

/**
 * `revort train revdeq-lm`: trains a language model, and leaves a run folder behind that texts can be generated from.
 *
 * @returns the exit code
 */
export async function languageTrainCommand(options: LanguageOptions, console: Console): Promise<number> {
  const lock = runLock(console);
  try {
    const report = await trainUnder(lock, options, console);
    if (options.json) console.json(report);
    else console.stdout.write(`${summary(report)}\n`);
    if (report.stopped !== "aborted") return exitCodes.done;
    console.note(`Stopped after update ${report.steps}. Continue with: revort train --resume ${report.out}`);
    return exitCodes.interrupted;
  } finally {
    await lock.release();
  }
}

/** A run about to be trained. */
interface Run {
  readonly settings: LanguageSettings;
  readonly texts: Texts;
  readonly checkpoint: Checkpoint | null;
  /** makes sure of its folder */
  readonly begin: () => Promise<string>;
}

async function trainUnder(
  lock: RunLock,
  options: LanguageOptions,
  console: Console,
): Promise<LanguageReport> {
  const run =
    options.resume === undefined
      ? await newRun(options, lock)
      : await resumedRun(options.resume, options, lock);
  const { settings, texts, checkpoint } = run;
  const say = console.note;
  const language = languageModel(settings.kind, settings.configuration);
  const [training, validation] = partsOf(texts, settings);
  const { length } = settings.configuration;
  const windows = windowsOf("The text to learn from", training, length);
  const measured = windowsOf("The text for validation", validation, length);
  say(
    `${settings.kind} language model (${settings.config}): ${training.tokens.length} tokens in ${windows.count} windows to ` +
      `learn from, ${validation.tokens.length} to measure on`,
  );
  const opened = await openRuntime(settings.runtime, { say, explain: explainOnce(say, ["updates"]) });
  const runtime = withThreads(opened, options.threads ?? threadsFor(settings.configuration));
  const folder = await run.begin();
  const helpers = await Promise.all(
    Array.from({ length: options.helpers ?? 0 }, () => threadRuntime(threadedAs(settings.runtime))),
  );
  const fitting = { settings, language, windows, measured, checkpoint, folder, runtime, helpers };
  const trained = await fitRun(fitting, console, options.checkpointEvery ?? 60).finally(() =>
    Promise.all(helpers.map((helper) => helper.close())),
  );
  const report = reportOf({ settings, language, validation, ...trained, out: folder });
  await saveResult(folder, language, trained.result, report, settings);
  return report;
}

async function newRun(options: LanguageOptions, lock: RunLock): Promise<Run> {
  const name = options.tokenizer ?? recipes[options.config ?? "tiny"].tokenizer;
  const file = isTokenizerFile(name) ? await readText(name) : null;
  const tokenizer = await tokenizerNamed(name, file);
  const texts = await textsOf(tokenizer, options.data ?? [], options.validation ?? []);
  const settings = settingsOf({ ...options, tokenizer: name }, tokenizer, texts);
  if (settings.configuration.vocabulary < tokenizer.vocabulary) {
    throw new UsageError(
      `The tokenizer ${name} has ${tokenizer.vocabulary} ids, but the model tells ${settings.configuration.vocabulary} apart.`,
    );
  }
  return {
    settings,
    texts,
    checkpoint: null,
    async begin() {
      const folder = options.out ?? (await freshFolder("revdeq-lm"));
      await lock.take(folder);
      await beginLanguageRun(folder, settings, file, options.overwrite ?? false);
      return folder;
    },
  };
}

/** Goes on with a run, in its folder or in a copy of it; only the number of updates may change. */
async function resumedRun(from: string, options: LanguageOptions, lock: RunLock): Promise<Run> {
  const { out = from } = options;
  const inPlace = resolve(out) === resolve(from);
  if (inPlace) await lock.take(from);
  const { settings: before, tokenizer: file } = await openLanguageRun(from);
  checkUnchanged(from, options);
  const tokenizer = await tokenizerNamed(before.tokenizer, file);
  const paths = (sources: readonly { readonly path: string }[]) => sources.map(({ path }) => path);
  const validation = "share" in before.validation ? [] : before.validation;
  const texts = await textsOf(tokenizer, paths(before.data), paths(validation));
  checkTexts(before, texts);
  const checkpoint = (await hasRunFile(from, runFiles.checkpoint))
    ? decodeCheckpoint(await readRunFile(from, runFiles.checkpoint), runFiles.checkpoint)
    : null;
  const done = checkpoint?.step ?? 0;
  const { steps = Math.max(before.steps, done) } = options;
  if (steps < done) {
    throw new UsageError(
      `The run ${from} has ${done} updates already, so --steps ${steps} cannot be its number in all.`,
    );
  }
  const settings = { ...before, steps };
  return {
    ...{ settings, texts, checkpoint },
    async begin() {
      if (inPlace) {
        await writeLanguageSettings(from, settings);
        return from;
      }
      await lock.take(out);
      await beginLanguageRun(out, settings, file, options.overwrite ?? false);
      if (checkpoint !== null) await writeRunFile(out, runFiles.checkpoint, encodeCheckpoint(checkpoint));
      return out;
    },
  };
}

interface Fitting {
  readonly settings: LanguageSettings;
  readonly language: LanguageModel;
  readonly windows: TextWindows;
  readonly measured: TextWindows;
  readonly checkpoint: Checkpoint | null;
  readonly folder: string;
  readonly runtime: Runtime;
  readonly helpers: readonly Runtime[];
}

/** Trains, and keeps what was reached every so many seconds. */
async function fitRun(
  { settings, language, windows, measured, checkpoint, folder, runtime, helpers }: Fitting,
  console: Console,
  every: number,
): Promise<{ readonly result: FitResult; readonly reconstructionError: number | null }> {
  const bar = progress({ stream: console.bar, total: settings.steps, label: "training" });
  let saved = performance.now();
  let reconstructionError: number | null = null;
  try {
    const result = await fit(language.task, shuffledWindows(windows, settings.batchSize, settings.seed), {
      ...{ runtime, helpers },
      steps: settings.steps,
      batchSize: settings.batchSize,
      parts: settings.accumulate,
      optimiser: adamw({ learningRate: settings.learningRate, weightDecay: settings.weightDecay }),
      schedule: scheduleOf(settings),
      ...(settings.clip === null ? {} : { clip: settings.clip }),
      dtype: settings.dtype,
      seed: settings.seed,
      validation: measured.samples(spread(measured.count, settings.validationWindows)),
      validationBatchSize: Math.ceil(settings.batchSize / settings.accumulate),
      validateEvery: settings.validateEvery,
      ...(checkpoint === null ? {} : { resume: checkpoint }),
      signal: console.stopSignal(),
      async onUpdate(update) {
        bar.update(update.step, { loss: update.loss });
        if (update.reconstructionError !== null)
          reconstructionError = Math.max(reconstructionError ?? 0, update.reconstructionError);
        if (performance.now() - saved < 1000 * every) return;
        await writeRunFile(folder, runFiles.checkpoint, encodeCheckpoint(await update.checkpoint()));
        saved = performance.now();
      },
      onValidation: ({ step, loss }) =>
        bar.log(`after update ${step}: validation perplexity ${Math.exp(loss).toPrecision(4)} per token`),
    });
    return { result, reconstructionError: settings.kind === "revdeq" ? reconstructionError : null };
  } finally {
    bar.finish();
  }
}

/** @throws {UsageError} for a runtime that has no threads */
function threadedAs(name: RuntimeName): ThreadedRuntime {
  if (name === "auto" || name === "jit" || name === "ort-cpu") return name;
  throw new UsageError(`--helpers take the runtimes auto, jit and ort-cpu, but this run is on ${name}.`);
}

const all = (count: number) => Array.from({ length: count }, (_, i) => i);

/** So many of them at most, spread evenly. */
function spread(count: number, most: number | null): number[] {
  if (most === null || count <= most) return all(count);
  return Array.from({ length: most }, (_, i) => Math.floor((i * count) / most));
}

function scheduleOf({ schedule, steps, warmup }: LanguageSettings): Schedule {
  if (schedule === "cosine") return cosine({ steps: Math.max(1, steps), warmup });
  const later = schedule === "constant" ? constant() : plateau(publishedPlateau);
  return warmup === 0 ? later : warmedUp(later, { steps: warmup });
}

/** Of the published training, but for what it looks at: there the mean loss of 200 updates, here the validation text. */
const publishedPlateau = { patience: 10, gamma: 0.5, threshold: 1e-4 };

/** Writes everything that a run leaves behind. */
async function saveResult(
  folder: string,
  language: LanguageModel,
  { checkpoint, best }: FitResult,
  report: LanguageReport,
  { dtype }: LanguageSettings,
): Promise<void> {
  await writeRunFile(folder, runFiles.checkpoint, encodeCheckpoint(checkpoint));
  await writeRunFile(folder, runFiles.parameters, encodeSafetensors(best.parameters));
  const rows = report.losses.map((loss, update) => `${update},${loss}\n`);
  await writeRunFile(folder, runFiles.losses, `update,loss\n${rows.join("")}`);
  await writeRunFile(folder, runFiles.result, `${printableJson(report, 2)}\n`);
  const bytes = encodePrediction(language.model, { parameters: best.parameters, dtype });
  await writeRunFile(folder, languageFiles.prediction, bytes);
  const { svg, png } = await drawLosses(report, `${report.model} language model (${report.config})`);
  await writeRunFile(folder, "losses.svg", svg);
  await writeRunFile(folder, "losses.png", png);
}
