import { type Command, Option } from "commander";
import type { FloatDType } from "../../core/tensor.js";
import {
  type CellName,
  type ConfigurationName,
  cellNames,
  configurations,
  type LanguageKind,
  languageKinds,
} from "../../language/configuration.js";
import type { RuntimeName } from "../runtimes.js";
import { dtypeOption, runtimeOption } from "../shared-options.js";
import { count, notNegative, number, oneOf, positive, positiveCount } from "../usage.js";
import { recipes, schedules } from "./recipes.js";

/** Options of `train revdeq-lm`, as the command line has them. */
export interface LanguageOptions {
  readonly data?: readonly string[];
  readonly validation?: readonly string[];
  readonly validationShare?: number;
  readonly validationWindows?: number;
  readonly config?: ConfigurationName;
  readonly model?: LanguageKind;
  readonly tokenizer?: string;
  readonly cell?: CellName;
  readonly width?: number;
  readonly heads?: number;
  readonly layers?: number;
  readonly hidden?: readonly number[];
  readonly context?: number;
  readonly tied?: boolean;
  readonly dropout?: number;
  readonly relaxation?: number;
  readonly iterations?: number;
  readonly tolerance?: number;
  readonly state?: FloatDType;
  readonly steps?: number;
  readonly batchSize?: number;
  readonly accumulate?: number;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly schedule?: (typeof schedules)[number];
  readonly warmup?: number;
  readonly clip?: number;
  readonly validateEvery?: number;
  readonly seed?: number;
  readonly dtype?: FloatDType;
  readonly runtime?: RuntimeName;
  readonly threads?: number;
  readonly helpers?: number;
  readonly resume?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly checkpointEvery?: number;
  readonly json?: boolean;
}

/** What each configuration is, and how it is trained. */
export function configurationsText(): string {
  const lines = (Object.keys(configurations) as ConfigurationName[]).map((name) => {
    const { vocabulary, length, width, heads } = configurations[name];
    const { tokenizer, steps, batchSize, learningRate } = recipes[name];
    return (
      `  ${name}: width ${width}, ${heads} heads, context ${length}, vocabulary ` +
      `${vocabulary}\n    --tokenizer ${tokenizer} --steps ${steps} --batch-size ${batchSize} --learning-rate ${learningRate}\n`
    );
  });
  return `\nConfigurations:\n${lines.join("")}`;
}

/** Adds the options to a command. */
export function languageOptions(command: Command): Command {
  const own = "the configuration's own by default";
  return command
    .addHelpText("after", configurationsText)
    .option("--data <files...>", "texts in UTF-8; a small built-in text by default")
    .option("--validation <files...>", "texts to validate on; by default the end of the training text")
    .option(
      "--validation-share <share>",
      "share of the tokens, taken from the end, to validate on; 0.1 by default",
      number("--validation-share", (x) => x > 0 && x < 1, "a number between 0 and 1"),
    )
    .option(
      "--validation-windows <n>",
      `validate on at most this many windows, spread over the text; ${own}`,
      positiveCount("--validation-windows"),
    )
    .addOption(choice("--config <name>", "tiny by default", Object.keys(configurations)))
    .addOption(choice("--model <kind>", "revdeq by default", languageKinds))
    .option("--tokenizer <name>", `bytes, gpt2 or a tokenizer.json; ${own}`)
    .addOption(choice("--cell <name>", own, cellNames))
    .option("--width <n>", `width of the states; ${own}`, positiveCount("--width"))
    .option("--heads <n>", `heads of attention; ${own}`, positiveCount("--heads"))
    .option("--layers <n>", `blocks of a transformer; ${own}`, positiveCount("--layers"))
    .option("--hidden <widths>", `hidden widths of the perceptron, separated by commas; ${own}`, widths)
    .option("--context <n>", `context length, in tokens; ${own}`, positiveCount("--context"))
    .option("--tied", "share the weights of the head and the token embedding; not by default")
    .option(
      "--dropout <p>",
      `probability of dropout in training; ${own}`,
      number("--dropout", (x) => x >= 0 && x < 1, "a number from 0 to below 1"),
    )
    .option("--relaxation <beta>", `β of the fixed-point iteration; ${own}`, positive("--relaxation"))
    .option(
      "--iterations <n>",
      `largest number of fixed-point iterations; ${own}`,
      positiveCount("--iterations"),
    )
    .option(
      "--tolerance <tol>",
      `stop iterating a window at this ‖z − f(z)‖ / ‖f(z)‖; 0 for never; ${own}`,
      notNegative("--tolerance"),
    )
    .addOption(
      choice(
        "--state <type>",
        "type of the state of the reversible iteration; float64 by default, float32 for runtimes without float64",
        ["float64", "float32"],
      ),
    )
    .option("--steps <n>", `total number of updates; ${own}`, count("--steps"))
    .option("--batch-size <n>", `windows in an update; ${own}`, positiveCount("--batch-size"))
    .option(
      "--accumulate <n>",
      `split the windows of an update into this many parts, one after the other; ${own}`,
      positiveCount("--accumulate"),
    )
    .option("--learning-rate <rate>", `peak learning rate of AdamW; ${own}`, positive("--learning-rate"))
    .option("--weight-decay <wd>", `decoupled weight decay of AdamW; ${own}`, notNegative("--weight-decay"))
    .addOption(choice("--schedule <name>", own, schedules))
    .option(
      "--warmup <n>",
      `updates over which the learning rate rises to its peak; ${own}`,
      count("--warmup"),
    )
    .option(
      "--clip <norm>",
      `scale gradients down to this norm if they are larger; ${own}`,
      positive("--clip"),
    )
    .option(
      "--validate-every <n>",
      `updates between two validations; ${own}`,
      positiveCount("--validate-every"),
    )
    .option("--seed <n>", "seed of parameters, order of windows and dropout; 0 by default", count("--seed"))
    .addOption(dtypeOption("float32 by default"))
    .addOption(runtimeOption())
    .option(
      "--threads <n>",
      "threads inside an operator (results do not depend on it); one by default for a narrow model, else one for each core",
      positiveCount("--threads"),
    )
    .option(
      "--helpers <n>",
      "further threads that share the parts of an update (see --accumulate); none by default",
      count("--helpers"),
    )
    .option(
      "--resume <run>",
      "continue the run in this folder (with --out, in a copy of it); only --steps may change",
    )
    .option("--out <folder>", "folder of the run; runs/revdeq-lm by default")
    .option("--overwrite", "replace the run that is already in --out")
    .option(
      "--checkpoint-every <seconds>",
      "seconds between two checkpoints; 60 by default",
      positive("--checkpoint-every"),
    )
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces");
}

function choice(flag: string, otherwise: string, words: readonly string[]): Option {
  return new Option(flag, `${words.join(", ")}; ${otherwise}`).argParser(oneOf(flag.split(" ")[0]!, words));
}

function widths(text: string): number[] {
  return text.split(",").map(positiveCount("--hidden"));
}
