// Options that several commands share.

import { type Command, Option } from "commander";
import { taskNames } from "../experiments/task-names.js";
import { activations } from "../fields/activations.js";
import {
  gradientKinds,
  gradientOptions,
  parseGradientRequest,
  showGradientRequest,
} from "../gradients/method.js";
import { losses } from "../learning/losses.js";
import { optimisers } from "../learning/optimisers.js";
import { solverNames } from "../methods/named.js";
import { controllerNames } from "./control-options.js";
import { defaultsText } from "./default-settings.js";
import { parameterOption } from "./equations.js";
import { runtimeNames } from "./runtimes.js";
import { seriesOptions } from "./series/options.js";
import { byteCount, count, notNegative, number, oneOf, positive, positiveCount } from "./usage.js";

export function solverOption(otherwise: string): Option {
  return new Option(
    "--solver <name>",
    `${solverNames.join(", ")}, lawson:NAME:RATE with a linear part solved exactly; ${otherwise}`,
  );
}

export function controllerOption(): Option {
  return new Option(
    "--controller <name>",
    `${controllerNames.join(", ")}; i where a tolerance is given`,
  ).argParser(oneOf("--controller", controllerNames));
}

export function rtolOption(): Option {
  return new Option(
    "--rtol <rtol>",
    "relative tolerance; makes the steps adaptive; 1e-6 by default if another option does that",
  ).argParser(notNegative("--rtol"));
}

export function atolOption(): Option {
  return new Option("--atol <atol>", "absolute tolerance, likewise").argParser(notNegative("--atol"));
}

export function firstStepOption(): Option {
  return new Option(
    "--dt0 <h>",
    "first step; makes the steps adaptive; by default chosen from the field",
  ).argParser(positive("--dt0"));
}

export function smallestStepOption(): Option {
  return new Option("--dtmin <h>", "smallest step; makes the steps adaptive; 0 by default").argParser(
    positive("--dtmin"),
  );
}

export function timeInputOption(): Option {
  return new Option(
    "--time-input <name>",
    "name of the input of an .onnx field that is time, where it cannot be told",
  );
}

export function stateInputOption(): Option {
  return new Option("--state-input <name>", "name of the input that is the state, where it cannot be told");
}

export function outputNameOption(): Option {
  return new Option(
    "--output-name <name>",
    "name of the output of an .onnx field that is dy/dt, where there are several",
  );
}

export function trainableOption(): Option {
  return new Option(
    "--trainable <pattern>",
    "also train these arrays of an .onnx field, which may be single numbers or Constants; * stands for any characters, ? for one; may be repeated",
  ).argParser(repeated);
}

export function freezeOption(): Option {
  return new Option(
    "--freeze <pattern>",
    "keep these arrays of an .onnx field as they are; of two patterns that match an array the more specific one counts; may be repeated",
  ).argParser(repeated);
}

/** `--parameter` of a field of equations. */
export function parameterFlag(about: string): Option {
  return new Option(
    "--parameter <name=guess:low:high>",
    `of equations: ${about}; no bounds by default; a unit may follow ("k=0.5:0: 1/day"); may be repeated`,
  ).argParser(parameterOption);
}

/** One more value of an option that may be given several times. */
function repeated(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** λ, or the word that leaves it to revort. */
export function coupling(text: string): number | "auto" {
  return text === "auto" ? text : number("--coupling", Number.isFinite, "a number in (0, 1], or auto")(text);
}

export function dtypeOption(otherwise: string): Option {
  return new Option("--dtype <type>", `float64 or float32; ${otherwise}`).argParser(
    oneOf("--dtype", ["float64", "float32"]),
  );
}

export function runtimeOption(): Option {
  return new Option(
    "--runtime <name>",
    `${runtimeNames.join(", ")}; ${runtimeNames[0]} by default`,
  ).argParser(oneOf("--runtime", runtimeNames));
}

function choice<K extends string>(flag: string, about: string, record: Readonly<Record<K, unknown>>): Option {
  const words = Object.keys(record) as K[];
  return new Option(`${flag} <name>`, `${about}: ${words.join(", ")}`).argParser(oneOf(flag, words));
}

/** Options of `train` that say what a run computes. */
export function trainOptions(command: Command): Command {
  return seriesOptions(problemOptions(command))
    .option(
      "--batch, --batch-size <n>",
      `samples of an update, for files of trajectories, ${taskNames.join(", ")}; its own by default`,
      positiveCount("--batch-size"),
    )
    .option(
      "--validate-every <n>",
      "updates from one validation to the next, likewise",
      positiveCount("--validate-every"),
    )
    .option(
      "--samples <n>",
      "most of the images to train on, for experiments on images; some by default, all with --full",
      positiveCount("--samples"),
    )
    .option(
      "--network <name>",
      "which of its networks an experiment on images trains; its small one by default",
    )
    .option("--full", "the published protocol, likewise; by default one that takes minutes");
}

/** Options that say what is trained, on which data, and how. */
export function problemOptions(command: Command): Command {
  return command
    .addHelpText("after", defaultsText)
    .option("--data <file>", "the file of an experiment that needs one")
    .option(
      "--field <field>",
      'mlp:WIDTH,WIDTH,…, equations ("dx = a*x - b*x*y; dy = -c*y + d*x*y", with "+ mlp:16" for what they leave out), or an .onnx file; the experiment\'s own by default',
    )
    .addOption(
      parameterFlag("start from it and stay within the bounds; what is not given is estimated from the data"),
    )
    .addOption(timeInputOption())
    .addOption(stateInputOption())
    .addOption(outputNameOption())
    .addOption(trainableOption())
    .addOption(freezeOption())
    .addOption(choice("--activation", "activation of mlp:…, tanh by default", activations))
    .option("--autonomous", "an mlp:… that does not see time")
    .addOption(solverOption("the experiment's own by default"))
    .addOption(
      new Option(
        "--gradient <method>",
        `auto, ${gradientKinds.join(", ")}; auto by default for a CSV file (backprop through stored steps of the base method where they fit the memory budget, else checkpoints), reversible for experiments; ${gradientOptions.join(", ")}`,
      ).argParser((text) => showGradientRequest(parseGradientRequest(text))),
    )
    .option(
      "--memory-budget <bytes>",
      "memory that stored states may take with --gradient auto, such as 500MB; 1GB by default",
      byteCount("--memory-budget"),
    )
    .option(
      "--reversible",
      "couple the solver, so that it can be undone, also where the gradient does not need it",
    )
    .option(
      "--coupling <lambda>",
      "λ in (0, 1] of the coupled solver, or auto, which chooses it from the field and adapts it during training; implies --reversible",
      coupling,
    )
    .option(
      "--step-size <h>",
      "size of the steps, the largest if they are adaptive; for fixed steps, the default of the subject, below",
      positive("--step-size"),
    )
    .addOption(controllerOption())
    .addOption(rtolOption())
    .addOption(atolOption())
    .addOption(firstStepOption())
    .addOption(smallestStepOption())
    .addOption(dtypeOption("float64 by default, the file's own for an .onnx field"))
    .addOption(runtimeOption())
    .option("--steps <n>", "total number of updates; the default of the subject, below", count("--steps"))
    .addOption(choice("--optimiser", "adamw by default", optimisers))
    .option(
      "--learning-rate <rate>",
      "learning rate; the default of the subject, below",
      positive("--learning-rate"),
    )
    .option(
      "--weight-decay <wd>",
      "weight decay; the default of the subject, below",
      notNegative("--weight-decay"),
    )
    .addOption(choice("--loss", "mse by default", losses))
    .option(
      "--clip <norm>",
      "scale down gradients whose norm is larger than this; not by default",
      positive("--clip"),
    )
    .option(
      "--patience <n>",
      "stop after this many updates without a lower loss; not by default",
      positiveCount("--patience"),
    )
    .option(
      "--train-y0",
      "train the initial state as well; by default where the first row has gaps, and with equations for a CSV file",
    )
    .option("--no-train-y0", "take the first row as the exact initial state")
    .option("--seed <n>", "seed of the initial parameters; 0 by default", count("--seed"))
    .option("--init <file>", "initial parameters, as safetensors; drawn from the seed by default");
}
