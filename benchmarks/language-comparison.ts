import { basename } from "node:path";
import {
  configurations,
  type LanguageConfiguration,
  type LanguageKind,
} from "../src/language/configuration.js";
import { gpt2Tokenizer } from "../src/language/gpt2-tokenizer.js";
import { languageModel, parameterCount } from "../src/language/language-model.js";
import { shuffledWindows, tokenize, windowsOf } from "../src/language/text.js";
import { byteTokenizer } from "../src/language/tokenizer.js";
import { adamw } from "../src/learning/optimisers.js";
import { cosine } from "../src/learning/schedules.js";
import { fit as trained } from "../src/models/fit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { textParts } from "../src/storage/text-parts.js";
import { conclude, readOptions, say } from "./conclude.js";
import { provenance, table } from "./measure.js";
import { type Row, showNumber } from "./result.js";

// A reversible deep-equilibrium model, an implicit one and a plain transformer of as many parameters, on as many tokens.

const options = readOptions({
  data: "",
  validation: "",
  tokenizer: "bytes",
  config: "tiny",
  models: "transformer,revdeq,deq",
  seeds: "0,1,2",
  updates: "400",
  batch: "8",
  "learning-rate": "2e-3",
  windows: "128",
});
if (options.data === "" || options.validation === "") {
  throw new Error("Name the texts: --data train.txt --validation valid.txt");
}
const [updates, batch] = [Number(options.updates), Number(options.batch)];
const tokenizer = options.tokenizer === "gpt2" ? await gpt2Tokenizer() : byteTokenizer();
// one block and one cell, so that all have the same parameters
const configuration: LanguageConfiguration = {
  ...configurations[options.config as keyof typeof configurations],
  layers: 1,
};
const training = await tokenize(tokenizer, [textParts(options.data)]);
const validation = await tokenize(tokenizer, [textParts(options.validation)]);
const windows = windowsOf("The text to learn from", training, configuration.length);
const measured = windowsOf("The text for validation", validation, configuration.length);
const most = Math.min(Number(options.windows), measured.count);
const held = measured.samples(
  Array.from({ length: most }, (_, i) => Math.floor((i * measured.count) / most)),
);
const runtime = await ortNode();
const rows: Row[] = [];
for (const model of options.models.split(",") as LanguageKind[]) {
  const language = languageModel(model, configuration);
  for (const seed of options.seeds.split(",").map(Number)) {
    say(`${model}, seed ${seed}`);
    const { validations, seconds } = await trained(language.task, shuffledWindows(windows, batch, seed), {
      ...{ runtime, steps: updates, batchSize: batch, dtype: "float32", seed, clip: 1 },
      optimiser: adamw({ learningRate: Number(options["learning-rate"]), weightDecay: 0.01 }),
      schedule: cosine({ steps: updates, warmup: Math.round(updates / 20), final: 0.1 }),
      ...{ validation: held, validationBatchSize: 32, validateEvery: Math.round(updates / 8) },
    });
    for (const { step, loss, metrics } of validations) {
      rows.push({
        ...{
          model,
          seed,
          updates: step,
          parameters: parameterCount(language),
          tokens: step * batch * configuration.length,
        },
        perplexity: Math.exp(loss),
        perplexityPerWord: Math.exp((loss * validation.tokens.length) / validation.words),
        residual: metrics.residual ?? null,
        iterations: metrics.iterations ?? null,
        secondsPerUpdate: seconds / updates,
      });
    }
  }
}
const { date, command, machine, versions } = provenance([runtime]);
const { length, width, heads, equilibrium } = configuration;
await conclude(
  {
    benchmark: "language-comparison",
    ...{ date, machine, versions },
    command: command
      .replace(options.data, basename(options.data))
      .replace(options.validation, basename(options.validation)),
    settings: {
      ...{
        data: basename(options.data),
        validation: basename(options.validation),
        tokenizer: tokenizer.name,
      },
      ...{ updates, batch, context: length, width, heads, windows: most },
      ...{ relaxation: equilibrium.relaxation, steps: equilibrium.steps, tolerance: equilibrium.tolerance },
    },
    ...{ rows, failures: [], targets: [] },
  },
  options,
  {
    text: table(
      ["model", "seed", "updates", "per token", "per word", "residual", "s/update"],
      rows.map((row) => [
        ...[row.model, row.seed, row.updates].map(String),
        ...[row.perplexity, row.perplexityPerWord].map((x) => showNumber(x as number)),
        row.residual === null ? "–" : showNumber(row.residual as number),
        showNumber(row.secondsPerUpdate as number),
      ]),
    ),
  },
);
