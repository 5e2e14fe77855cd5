import { configurations, type LanguageConfiguration } from "../../language/configuration.js";
import type { Tokenizer } from "../../language/tokenizer.js";
import { usualRuntime } from "../runtimes.js";
import { optionFlag, UsageError } from "../usage.js";
import type { LanguageOptions } from "./options.js";
import { recipes } from "./recipes.js";
import { type LanguageSettings, languageSettings } from "./settings.js";
import type { Texts } from "./texts.js";

/** The name of a tokenizer.json in a run's folder. */
export const tokenizerFile = "tokenizer.json";

/** Whether a tokenizer is a file. */
export const isTokenizerFile = (name: string): boolean => /\.json$/i.test(name);

/** The configuration that a command line asks for. */
export function configurationOf(
  options: LanguageOptions,
  { name, vocabulary: own }: Pick<Tokenizer, "name" | "vocabulary">,
): LanguageConfiguration {
  const { config = "tiny", relaxation, iterations, tolerance, state } = options;
  const base: LanguageConfiguration = configurations[config];
  const usual = recipes[config].tokenizer;
  const set = <K extends keyof LanguageConfiguration>(key: K, value: LanguageConfiguration[K] | undefined) =>
    value === undefined ? {} : { [key]: value };
  return {
    ...base,
    // room beyond the tokens is kept where the tokenizer is the configuration's own
    ...(name === usual ? {} : { vocabulary: own }),
    ...set("cell", options.cell),
    ...set("width", options.width),
    ...set("heads", options.heads),
    ...set("layers", options.layers),
    ...set("hidden", options.hidden),
    ...set("length", options.context),
    ...set("tied", options.tied),
    ...set("dropout", options.dropout),
    equilibrium: {
      relaxation: relaxation ?? base.equilibrium.relaxation,
      steps: iterations ?? base.equilibrium.steps,
      tolerance: tolerance ?? base.equilibrium.tolerance,
      ...(state === undefined ? {} : { state }),
    },
  };
}

/** All the settings of a new run. */
export function settingsOf(
  options: LanguageOptions,
  tokenizer: Tokenizer,
  { training, validation }: Texts,
): LanguageSettings {
  const { config = "tiny" } = options;
  const recipe = recipes[config];
  return languageSettings.parse({
    kind: options.model ?? "revdeq",
    config,
    configuration: asSettings(configurationOf(options, tokenizer)),
    tokenizer: isTokenizerFile(options.tokenizer ?? "") ? tokenizerFile : tokenizer.name,
    data: [...training.sources],
    validation: validation === null ? { share: options.validationShare ?? 0.1 } : [...validation.sources],
    validationWindows: options.validationWindows ?? recipe.validationWindows,
    dtype: options.dtype ?? "float32",
    runtime: options.runtime ?? usualRuntime,
    steps: options.steps ?? recipe.steps,
    batchSize: options.batchSize ?? recipe.batchSize,
    accumulate: options.accumulate ?? recipe.accumulate,
    learningRate: options.learningRate ?? recipe.learningRate,
    weightDecay: options.weightDecay ?? recipe.weightDecay,
    schedule: options.schedule ?? recipe.schedule,
    warmup: options.warmup ?? recipe.warmup,
    clip: options.clip ?? recipe.clip,
    validateEvery: options.validateEvery ?? recipe.validateEvery,
    seed: options.seed ?? 0,
  } satisfies LanguageSettings);
}

/** Options that a resumed run may be given: they do not change what it computes, or are looked at elsewhere. */
const free: readonly (keyof LanguageOptions | "debug")[] = [
  ...([
    "steps",
    "threads",
    "helpers",
    "resume",
    "out",
    "overwrite",
    "checkpointEvery",
    "json",
    "debug",
  ] as const),
];

/** A resumed run keeps its settings. @throws {UsageError} naming what would change them */
export function checkUnchanged(folder: string, options: LanguageOptions): void {
  const asked = Object.keys(options).find((name) => !(free as readonly string[]).includes(name));
  if (asked === undefined) return;
  throw new UsageError(
    `The run ${folder} keeps its settings; leave out ${optionFlag(asked)} (only --steps may change), or start a new run.`,
  );
}

function asSettings(configuration: LanguageConfiguration): LanguageSettings["configuration"] {
  return { ...configuration, hidden: [...configuration.hidden] };
}
