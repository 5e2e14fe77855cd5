// Options that several commands share.

import { type Command, Option } from "commander";
import { taskSchedules } from "../experiments/task-schedule.js";
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
    `${solverNames.join(", ")}, lawson:NAME:RATE (NAME, with the linear part RATE·y solved exactly); ${otherwise}`,
  );
}

/** Numbers that stand for missing values in files of data. */
export function missingOption(): Option {
  return new Option(
    "--missing <numbers>",
    "numbers that stand for a value that is missing in a file of data, separated by commas: -999 or -999,1e20; by default empty cells, NA, NaN and null alone are missing; may be repeated",
  ).argParser((text: string, before: readonly number[] | undefined) => [
    ...(before ?? []),
    ...text.split(",").map(number("--missing")),
  ]);
}

export function controllerOption(): Option {
  return new Option(
    "--controller <name>",
    `${controllerNames.join(", ")}: how adaptive steps are chosen; i by default where a tolerance is given`,
  ).argParser(oneOf("--controller", controllerNames));
}

export function rtolOption(): Option {
  return new Option(
    "--rtol <rtol>",
    "relative tolerance; makes the steps adaptive; 1e-6 by default if another option makes them so",
  ).argParser(notNegative("--rtol"));
}

export function atolOption(): Option {
  return new Option(
    "--atol <atol>",
    "absolute tolerance; makes the steps adaptive; 1e-6 by default if another option makes them so",
  ).argParser(notNegative("--atol"));
}

export function firstStepOption(): Option {
  return new Option(
    "--dt0 <h>",
    "size of the first step; makes the steps adaptive; estimated from the field by default",
  ).argParser(positive("--dt0"));
}

export function smallestStepOption(): Option {
  return new Option("--dtmin <h>", "smallest step allowed; makes the steps adaptive; 0 by default").argParser(
    positive("--dtmin"),
  );
}

export function timeInputOption(): Option {
  return new Option(
    "--time-input <name>",
    "which input of an .onnx field is time, if the file leaves it open",
  );
}

export function stateInputOption(): Option {
  return new Option(
    "--state-input <name>",
    "which input of an .onnx field is the state, if the file leaves it open",
  );
}

export function outputNameOption(): Option {
  return new Option("--output-name <name>", "which output of an .onnx field is dy/dt, if there are several");
}

export function trainableOption(): Option {
  return new Option(
    "--trainable <pattern>",
    "train these arrays or numbers of an .onnx field as well; * stands for any characters, ? for one; may be repeated",
  ).argParser(repeated);
}

export function freezeOption(): Option {
  return new Option(
    "--freeze <pattern>",
    "do not train these arrays of an .onnx field; where --trainable matches too, the more specific pattern wins; may be repeated",
  ).argParser(repeated);
}

/** `--parameter` of a field of equations. */
export function parameterFlag(about: string): Option {
  return new Option(
    "--parameter <name=guess:low:high>",
    `a constant of the equations: ${about}; no bounds by default; a unit may follow ("k=0.5:0: 1/day"); may be repeated`,
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

const threadCount = number(
  "--threads",
  (value) => Number.isSafeInteger(value) && value > 0,
  "auto or a whole number, 1 or more",
);

/** @param otherwise  how many there are by default */
export function threadsOption(otherwise: string): Option {
  return new Option(
    "--threads <n>",
    `share each update among at most this many threads, if it takes long enough (results do not depend on it); ${otherwise}`,
  ).argParser((text) => (text === "auto" ? text : threadCount(text)));
}

function choice<K extends string>(flag: string, about: string, record: Readonly<Record<K, unknown>>): Option {
  const words = Object.keys(record) as K[];
  return new Option(`${flag} <name>`, `${about}: ${words.join(", ")}`).argParser(oneOf(flag, words));
}

/** Options of `train` that say what a run computes. */
export function trainOptions(command: Command): Command {
  return updateOptions(seriesOptions(problemOptions(command)))
    .option(
      "--batch, --batch-size <n>",
      "samples (trajectories, windows, images) in an update; the experiment's own number by default",
      positiveCount("--batch-size"),
    )
    .option(
      "--validate-every <n>",
      "updates between two validations; the experiment's own number by default",
      positiveCount("--validate-every"),
    )
    .optionsGroup("Experiments with models of their own (two-moons, mnist-ode, …):")
    .option(
      "--samples <n>",
      "train on at most this many images; a thousand or more by default, all with --full",
      positiveCount("--samples"),
    )
    .option(
      "--network <name>",
      "which of its networks an experiment on images trains; the small one by default",
    )
    .option("--full", "train as published, which may take hours; a protocol of minutes by default");
}

/** How parameters are updated. */
function updateOptions(command: Command): Command {
  return command
    .optionsGroup("Updates:")
    .option("--steps <n>", "total number of updates; default: see below", count("--steps"))
    .addOption(choice("--optimiser", "adamw by default", optimisers))
    .option("--learning-rate <rate>", "learning rate; default: see below", positive("--learning-rate"))
    .option("--weight-decay <wd>", "weight decay; default: see below", notNegative("--weight-decay"))
    .addOption(
      choice(
        "--schedule",
        "learning rate over the updates: the same throughout, or growing over the first twentieth and then falling to 0 along half a cosine; as the experiment has it by default",
        taskSchedules,
      ),
    )
    .option(
      "--clip <norm>",
      "scale gradients down to this norm if they are larger; off by default",
      positive("--clip"),
    )
    .option(
      "--patience <n>",
      "stop after this many updates without a lower loss; off by default",
      positiveCount("--patience"),
    );
}

/** Options that say which gradient is computed: of which field, on which data, by which solver. */
export function problemOptions(command: Command): Command {
  return command
    .addHelpText("after", defaultsText)
    .optionsGroup("Data and field:")
    .option("--data <file>", "the data of an experiment that needs a file or folder")
    .addOption(missingOption())
    .option(
      "--field <field>",
      'mlp:WIDTH,WIDTH,…, equations ("dx = a*x - b*x*y; dy = -c*y + d*x*y", with "+ mlp:16" for a term that they lack), or an .onnx file; the experiment\'s own by default',
    )
    .addOption(parameterFlag("its starting value and its bounds; estimated from the data if not given"))
    .addOption(timeInputOption())
    .addOption(stateInputOption())
    .addOption(outputNameOption())
    .addOption(trainableOption())
    .addOption(freezeOption())
    .addOption(choice("--activation", "activation of mlp:…; tanh by default", activations))
    .option("--autonomous", "an mlp:… of the state alone; by default it takes time as well")
    .optionsGroup("Solver and gradient:")
    .addOption(
      solverOption(
        "the experiment's own by default. Stochastic experiments take those of their calculus (reversible-heun, heun, midpoint, …), and euler-maruyama and milstein where noise is additive",
      ),
    )
    .addOption(
      new Option(
        "--gradient <method>",
        `auto, ${gradientKinds.join(", ")}; auto by default for files of data (direct where its states fit --memory-budget, else checkpoint), reversible for experiments; ${gradientOptions.join(", ")}`,
      ).argParser((text) => showGradientRequest(parseGradientRequest(text))),
    )
    .option(
      "--memory-budget <bytes>",
      "how much memory --gradient auto may take for stored states, such as 500MB; 1GB by default",
      byteCount("--memory-budget"),
    )
    .option(
      "--reversible",
      "use the reversible (coupled) form of the solver even if the gradient does not need it",
    )
    .option(
      "--coupling <lambda>",
      "λ in (0, 1] of the coupled solver, or auto: chosen from the field and adapted during training; implies --reversible",
      coupling,
    )
    .option(
      "--step-size <h>",
      "step size, or the largest step if steps are adaptive; default of fixed steps: see below",
      positive("--step-size"),
    )
    .addOption(controllerOption())
    .addOption(rtolOption())
    .addOption(atolOption())
    .addOption(firstStepOption())
    .addOption(smallestStepOption())
    .addOption(dtypeOption("float64 by default, the file's own for an .onnx field"))
    .addOption(runtimeOption())
    .optionsGroup("Loss and initial values:")
    .addOption(choice("--loss", "mse by default", losses))
    .option(
      "--train-y0",
      "train the initial state as well; on by default for equations, and where the first row has gaps",
    )
    .option("--no-train-y0", "start exactly at the first row")
    .option("--seed <n>", "seed of the initial parameters; 0 by default", count("--seed"))
    .option("--init <file>", "start from these parameters (safetensors); drawn from the seed by default");
}
