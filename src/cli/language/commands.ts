import type { Command } from "commander";
import type { Console } from "../console.js";
import { runtimeOption } from "../shared-options.js";
import { count, notNegative, number, positiveCount } from "../usage.js";
import { languageOptions } from "./options.js";

// Commands of language models: one within train, and one that goes on with texts.

type NewCommand = (name: string, about: string, ...examples: string[]) => Command;
type Finish = (work: Promise<number>) => Promise<void>;

export function trainLanguageModel(train: Command, console: Console, finish: Finish): void {
  languageOptions(
    train
      .command("revdeq-lm")
      .description("Trains a language model: a reversible deep equilibrium model, or a transformer.")
      .exitOverride()
      .addHelpText(
        "after",
        "\nExamples:\n  revort train revdeq-lm\n  revort train revdeq-lm --data book.txt --config small --out runs/book\n",
      ),
  ).action(({ debug: _, ...options }) =>
    finish(import("./train.js").then(({ languageTrainCommand }) => languageTrainCommand(options, console))),
  );
}

export function generate(command: NewCommand, console: Console, finish: Finish): void {
  command(
    "generate",
    "Continues a text with the language model of a run, token by token.",
    'generate runs/revdeq-lm --prompt "The red boat" --tokens 200 --temperature 0.8 --top-k 40',
  )
    .argument("<run>", "the folder of a run of train revdeq-lm")
    .option("--prompt <text>", "the text to continue; empty by default", "")
    .option("--tokens <n>", "number of tokens to draw; 100 by default", positiveCount("--tokens"))
    .option("--seed <n>", "seed of the draws; 0 by default", count("--seed"))
    .option(
      "--temperature <t>",
      "logits are divided by this; 0 takes the likeliest token; 1 by default",
      notNegative("--temperature"),
    )
    .option("--top-k <k>", "draw from the k likeliest tokens; from all by default", positiveCount("--top-k"))
    .option(
      "--top-p <p>",
      "draw from the likeliest tokens whose probabilities add up to p; from all by default",
      number("--top-p", (p) => p > 0 && p <= 1, "a number above 0, up to 1"),
    )
    .addOption(runtimeOption())
    .option(
      "--threads <n>",
      "threads inside an operator; one by default for a narrow model, else one for each core",
      positiveCount("--threads"),
    )
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((run, { debug: _, ...options }) =>
      finish(import("./generate.js").then(({ generateCommand }) => generateCommand(run, options, console))),
    );
}
