import { encodePrediction } from "../../deploy/model-file.js";
import { type LanguageModel, languageModel } from "../../language/language-model.js";
import { shuffledWindows, type TextWindows, windowsOf } from "../../language/text.js";
import { adamw } from "../../learning/optimisers.js";
import { constant, cosine, plateau, type Schedule, warmedUp } from "../../learning/schedules.js";
import { fit } from "../../models/fit.js";
import type { Runtime } from "../../runtime/runtime.js";
import { threadRuntime } from "../../runtimes/thread.js";
import type { ThreadedRuntime } from "../../runtimes/threaded-runtime.js";
import { readText } from "../../storage/read.js";
import type { Checkpoint } from "../../train/checkpoint.js";
import type { Console } from "../console.js";
import {
  concluded,
  type KeptFit,
  keptFit,
  newFitRun,
  resumedFitRun,
  saveChart,
  saveFit,
} from "../fit-run.js";
import { quoted } from "../report/page.js";
import { runFiles, writeRunFile } from "../run-files.js";
import { type RunLock, runLock } from "../run-lock.js";
import { explainOnce, openRuntime, type RuntimeName } from "../runtimes.js";
import { UsageError } from "../usage.js";
import { languageFiles, openLanguageRun, writeLanguageRun } from "./folder.js";
import type { LanguageOptions } from "./options.js";
import { recipes } from "./recipes.js";
import { type LanguageReport, lossChart, reportOf, summary, summaryRows } from "./report.js";
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
    return concluded(report, summary(report), options, console);
  } finally {
    await lock.release();
  }
}

/** What a run is made of. */
interface Opened {
  readonly settings: LanguageSettings;
  readonly texts: Texts;
  /** the text of its tokenizer.json, where it has one */
  readonly tokenizer: string | null;
}

async function trainUnder(
  lock: RunLock,
  options: LanguageOptions,
  console: Console,
): Promise<LanguageReport> {
  const write = (folder: string, { settings, tokenizer }: Opened, inPlace: boolean) =>
    writeLanguageRun(folder, settings, inPlace ? null : tokenizer);
  const run =
    options.resume === undefined
      ? newFitRun("revdeq-lm", await asked(options), options, lock, write)
      : await resumedFitRun(options.resume, options, lock, (folder) => opened(folder, options), write);
  const { settings, texts } = run.opened;
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
  const started = await openRuntime(settings.runtime, { say, explain: explainOnce(say, ["updates"]) });
  const runtime = withThreads(started, options.threads ?? threadsFor(settings.configuration));
  const threaded =
    options.helpers === undefined ? [] : Array(options.helpers).fill(threadedAs(settings.runtime));
  const folder = await run.begin();
  const helpers = await Promise.all(threaded.map((name: ThreadedRuntime) => threadRuntime(name)));
  const fitting = { settings, language, windows, measured, checkpoint: run.checkpoint, runtime, helpers };
  const kept = {
    folder,
    steps: settings.steps,
    every: options.checkpointEvery ?? 60,
    console,
    isNew: options.resume === undefined,
  };
  const trained = await fitRun(fitting, kept).finally(() =>
    Promise.all(helpers.map((helper) => helper.close())),
  );
  const report = reportOf({ settings, language, validation, ...trained, out: folder });
  await saveFit(folder, trained.result, report);
  const { parameters } = trained.result.best;
  const bytes = encodePrediction(language.model, { parameters, dtype: settings.dtype });
  await writeRunFile(folder, languageFiles.prediction, bytes);
  const title = `${report.model} language model (${report.config})`;
  const losses = await saveChart(folder, "losses", lossChart(report, title));
  const { modelReport } = await import("../report/model-report.js");
  const page = modelReport({
    ...{ title, about: `${report.parameters} parameters, trained on ${sourcesOf(settings)}`, settings },
    ...{ rows: summaryRows(report), notes: report.notes.map(({ message }) => message) },
    ...{ stopped: report.stopped, runtime: settings.runtime, out: folder },
    charts: new Map([["losses", losses]]),
    models: { [languageFiles.prediction]: bytes },
    commands: [`revort generate ${quoted(folder)} --prompt "The" --tokens 100`],
  });
  await writeRunFile(folder, runFiles.report, page);
  return report;
}

/** What a run learns from, as its report says it. */
function sourcesOf({ data }: LanguageSettings): string {
  return data.length === 0 ? "the sample text" : data.map(({ path }) => path).join(", ");
}

/** What the command line asks for. */
async function asked(options: LanguageOptions): Promise<Opened> {
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
  return { settings, texts, tokenizer: file };
}

/** What a run has that goes on. @throws {UsageError} for options that would change it, or other texts */
async function opened(from: string, options: LanguageOptions): Promise<Opened> {
  const { settings, tokenizer: file } = await openLanguageRun(from);
  checkUnchanged(from, options);
  const tokenizer = await tokenizerNamed(settings.tokenizer, file);
  const paths = (sources: readonly { readonly path: string }[]) => sources.map(({ path }) => path);
  const validation = "share" in settings.validation ? [] : settings.validation;
  const texts = await textsOf(tokenizer, paths(settings.data), paths(validation));
  checkTexts(settings, texts);
  return { settings, texts, tokenizer: file };
}

interface Fitting {
  readonly settings: LanguageSettings;
  readonly language: LanguageModel;
  readonly windows: TextWindows;
  readonly measured: TextWindows;
  readonly checkpoint: Checkpoint | null;
  readonly runtime: Runtime;
  readonly helpers: readonly Runtime[];
}

async function fitRun(
  { settings, language, windows, measured, checkpoint, runtime, helpers }: Fitting,
  kept: Parameters<typeof keptFit>[0],
): Promise<KeptFit> {
  const { steps, batchSize, accumulate, learningRate, weightDecay, clip, dtype, seed } = settings;
  const validated = (loss: number) => `validation perplexity ${Math.exp(loss).toPrecision(4)} per token`;
  const { result, reconstructionError } = await keptFit(kept, validated, (hooks) =>
    fit(language.task, shuffledWindows(windows, batchSize, seed), {
      ...{ runtime, helpers, steps, batchSize, parts: accumulate, dtype, seed },
      optimiser: adamw({ learningRate, weightDecay }),
      schedule: scheduleOf(settings),
      ...(clip === null ? {} : { clip }),
      validation: measured.samples(spread(measured.count, settings.validationWindows)),
      validationBatchSize: Math.ceil(batchSize / accumulate),
      validateEvery: settings.validateEvery,
      ...(checkpoint === null ? {} : { resume: checkpoint }),
      ...hooks,
    }),
  );
  return { result, reconstructionError: settings.kind === "revdeq" ? reconstructionError : null };
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
