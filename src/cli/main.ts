import { Command, CommanderError, Option } from "commander";
import { experiments } from "../experiments/all.js";
import { equilibria } from "../experiments/equilibria.js";
import { taskNames } from "../experiments/task-names.js";
import { figureNames } from "../figures/names.js";
import { gradientKinds, parseGradientRequest, showGradientRequest } from "../gradients/method.js";
import { version } from "../version.js";
import type { PageHosts } from "./bench/hosts.js";
import { bench } from "./bench-options.js";
import { bundle } from "./bundle-options.js";
import { type Console, consoleOn, type Streams } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { exportKinds } from "./export-kinds.js";
import { parseIntervals } from "./intervals-option.js";
import { generate, trainLanguageModel } from "./language/commands.js";
import { resultCommands } from "./result-commands.js";
import { serve } from "./serve-options.js";
import {
  atolOption,
  controllerOption,
  coupling,
  dtypeOption,
  firstStepOption,
  freezeOption,
  outputNameOption,
  parameterFlag,
  problemOptions,
  rtolOption,
  runtimeOption,
  smallestStepOption,
  solverOption,
  stateInputOption,
  threadsOption,
  timeInputOption,
  trainableOption,
  trainOptions,
} from "./shared-options.js";
import { notNegative, number, oneOf, positive, positiveCount } from "./usage.js";

/** What commands can do in a clone alone. */
export interface OfAClone {
  /** runtimes in pages of a browser, which `bench` compares */
  readonly pages?: () => Promise<PageHosts | null>;
}

/**
 * Runs a command line.
 *
 * @param words  the command and its arguments, `["train", "influenza"]`
 * @returns the exit code: 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted
 */
export async function main(
  words: readonly string[],
  streams: Streams,
  { pages = async () => null }: OfAClone = {},
): Promise<number> {
  const console = consoleOn(streams);
  let exitCode: number = exitCodes.done;
  const finish = async (work: Promise<number>) => {
    exitCode = await work;
  };
  try {
    await program(console, finish, pages).parseAsync([...words], { from: "user" });
    return exitCode;
  } catch (error) {
    // commander has already said what is wrong with the words themselves
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.done : exitCodes.wrongRequest;
    const { describeError, excerptOf, exitCodeOf } = await import("./failure.js");
    const place = excerptOf(error);
    if (place !== null) console.stderr.write(`${place}\n`);
    console.stderr.write(`revort: ${describeError(error, words.includes("--debug"))}\n`);
    return exitCodeOf(error);
  }
}

type Finish = (work: Promise<number>) => Promise<void>;

/** The commands; each is loaded when it is asked for. */
function program(console: Console, finish: Finish, pages: () => Promise<PageHosts | null>): Command {
  const revort = new Command("revort")
    .description("Exact constant-memory gradients for neural differential equations, on ONNX Runtime.")
    .version(version)
    // those of a command within a command are its own
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => console.stdout.write(text),
      writeErr: (text) => console.stderr.write(text),
      outputError: (text, write) => write(`revort: ${oneLine(text)}\n`),
    });
  const command = (name: string, about: string, ...examples: string[]) =>
    revort
      .command(name)
      .description(about)
      .exitOverride()
      .addHelpText(
        "after",
        examples.length === 0 ? "" : `\nExamples:\n${examples.map((e) => `  revort ${e}\n`).join("")}`,
      );

  command("start", "A tour: fits real data, trains a neural ODE, exports it, runs the export again.")
    .option("--debug", "show stack traces")
    .action(() => finish(import("./start.js").then(({ start }) => start(console))));

  const train = trainOptions(
    command(
      "train",
      "Trains a neural ODE on an experiment or on a CSV file (a header, then a row for each time; the first column is time).",
      "train influenza",
      "train my.csv --field mlp:64,64 --steps 500 --out runs/mine",
      'train my.csv --field "dx = a*x - b*x*y; dy = -c*y + d*x*y" --parameter a=0.5:0:2',
      "train my.csv --field pretrained.onnx --learning-rate 1e-3",
      "train many.csv --trajectory id --validation 0.2 --batch 16",
      "train --resume runs/mine --steps 2000",
    ).argument(
      "[subject...]",
      `${[...experiments.map((e) => e.name), ...taskNames].join(", ")}, or files of data`,
    ),
  )
    .optionsGroup("The run:")
    .option(
      "--resume <run>",
      "continue the run in this folder (with --out, in a copy of it); only --steps may change",
    )
    .option("--out <folder>", "folder of the run; runs/NAME by default")
    .option("--overwrite", "replace the run that is already in --out")
    .option(
      "--checkpoint-every <seconds>",
      "seconds between two checkpoints; 15 by default",
      positive("--checkpoint-every"),
    )
    .addOption(
      new Option(
        "--intervals [method]",
        "95 % confidence intervals of scalar parameters: gauss-newton (on by default with equations), or bootstrap:500, from so many refits to resampled residuals; bootstrap takes 200",
      ).argParser(parseIntervals),
    )
    .addOption(threadsOption("auto by default: one for each core"))
    .option("--strict", "treat warnings as errors: exit code 1, but the run is kept")
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((subjects, { debug: _, ...options }) =>
      finish(import("./train.js").then(({ trainCommand }) => trainCommand(subjects, options, console))),
    );
  trainLanguageModel(train, console, finish);
  resultCommands(command, console, finish);

  generate(command, console, finish);

  problemOptions(
    command(
      "gradcheck",
      "Compares every gradient method with backprop through stored steps, and that with finite differences in float64.",
      "gradcheck white-dwarf --solver rk4",
      "gradcheck my.csv --field mlp:16 --json",
      "gradcheck revdeq-mlp --x 0.1 --beta 0.8",
    ).argument(
      "<subject>",
      `${experiments.map((e) => e.name).join(", ")}, a CSV file, or a fixed point: ${equilibria.map((e) => e.name).join(", ")}`,
    ),
  )
    .optionsGroup("Fixed points, and output:")
    .option("--x <x>", "input x of a fixed point z = f(z, x); its own by default", number("--x"))
    .option(
      "--beta <beta>",
      "relaxation β of the reversible fixed-point iteration, between 0 and 2 but not 1; its own by default",
      number("--beta"),
    )
    .option(
      "--tolerance <tolerance>",
      "stop the iteration at ‖z − f(z)‖ / (1e−5 + ‖f(z)‖) ≤ tolerance; its own by default",
      notNegative("--tolerance"),
    )
    .option(
      "--max-steps <n>",
      "largest number of iterations; its own by default",
      positiveCount("--max-steps"),
    )
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((subject, options) =>
      finish(
        import("./gradcheck.js").then(({ gradcheckCommand }) => gradcheckCommand(subject, options, console)),
      ),
    );

  command(
    "solve",
    "Solves dy/dt = f(t, y) for a field in a file, by default with the solver that it was trained with, or for equations.",
    "solve field.onnx --y0 1,0 --t0 0 --t1 5 --save-at 0:5:0.5",
    'solve field.onnx --y0 "[[1,0],[0,1]]" --t0 0 --t1 5 --solver rk4 --step-size 0.01 --out solution.csv',
    'solve --field "dx = v; dv = -w^2*x" --parameter w=2 --y0 1,0 --t0 0 --t1 5 --save-at 0:5:0.5',
  )
    .argument("[field]", "an .onnx file: dy/dt from t and y, or from y alone")
    .option("--field <equations>", "equations in place of a file, one for each state, in the order of --y0")
    .addOption(parameterFlag("its value"))
    .addOption(timeInputOption())
    .addOption(stateInputOption())
    .addOption(outputNameOption())
    .requiredOption("--y0 <state>", "initial state: 1,0 or nested JSON arrays, [[1,0],[0,1]]")
    .requiredOption("--t0 <time>", "initial time", number("--t0"))
    .requiredOption("--t1 <time>", "final time", number("--t1"))
    .addOption(solverOption("the field's own by default, else rk4"))
    .option("--reversible", "use the reversible (coupled) form of the solver")
    .option(
      "--coupling <lambda>",
      "λ in (0, 1] of the coupled solver, or auto; implies --reversible",
      coupling,
    )
    .option(
      "--step-size <h>",
      "step size, or the largest step if steps are adaptive; fixed steps are the field's own by default, else (t1 − t0)/1000",
      positive("--step-size"),
    )
    .option("--save-at <times>", "from:to:by, or times separated by commas; the final time by default")
    .addOption(controllerOption())
    .addOption(rtolOption())
    .addOption(atolOption())
    .addOption(firstStepOption())
    .addOption(smallestStepOption())
    .option(
      "--max-steps <n>",
      "give up after this many attempted steps; 100000 by default",
      positiveCount("--max-steps"),
    )
    .option("--strict", "treat warnings as errors")
    .addOption(dtypeOption("the field's own by default"))
    .addOption(runtimeOption())
    .option("--out <file>", "write the solution as CSV there instead of to stdout")
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((field, options) =>
      finish(import("./solve.js").then(({ solveCommand }) => solveCommand(field, options, console))),
    );

  command(
    "export",
    "Writes the field, a whole solver or the training step of a run as .onnx files that need only ONNX Runtime; or a TensorFlow.js model, or a PyTorch state dict.",
    "export runs/influenza --out influenza.onnx",
    "export runs/influenza --what solve --adaptive --rtol 1e-8 --out solve.onnx",
    "export runs/influenza --what train-step --out train-step.onnx",
    "export runs/hare-lynx --what tfjs-solve --save-at 0:20:1 --out web/solve",
    "export runs/mine --what state-dict --out mine.safetensors",
  )
    .argument("<run>", "a run's folder")
    .requiredOption("--out <file>", "where to write: a file, or a folder for TensorFlow.js")
    .addOption(
      new Option(
        "--what <kind>",
        `${exportKinds.join(", ")}; field by default; train-step comes with FILE.start.onnx, which outputs its first inputs; tfjs is the field and tfjs-solve its unrolled solve for TensorFlow.js; state-dict is the parameters for PyTorch, as safetensors; for a language model: model (the default), cell or train-step`,
      ).argParser(oneOf("--what", exportKinds)),
    )
    .option(
      "--best",
      "the parameters with the lowest loss instead of the last ones (field, solve, tfjs, state-dict)",
    )
    .option("--adaptive [solver]", "solve: adaptive steps, with dopri5 unless another solver is named")
    .option(
      "--rtol <rtol>",
      "solve: relative tolerance of adaptive steps; 1e-6 by default",
      notNegative("--rtol"),
    )
    .option(
      "--atol <atol>",
      "solve: absolute tolerance of adaptive steps; 1e-6 by default",
      notNegative("--atol"),
    )
    .option(
      "--step-size <h>",
      "solve, tfjs-solve: step size, the run's own by default; or the largest adaptive step, unlimited by default",
      positive("--step-size"),
    )
    .option(
      "--save-at <times>",
      "tfjs-solve: from:to:by, or times separated by commas; those of the data by default",
    )
    .option(
      "--max-steps <n>",
      "solve: give up after this many attempted steps; 100000 by default",
      positiveCount("--max-steps"),
    )
    .option(
      "--no-defaults",
      "solve: make the tolerances (or the step size) and maxSteps required inputs; JavaScript cannot set optional ones",
    )
    .option(
      "--open-parameters",
      "solve: make the parameters inputs too, to be fed with those that a training step outputs",
    )
    .option("--fresh", "train-step: start from the initial parameters of the run instead of its last ones")
    .addOption(
      new Option(
        "--gradient <method>",
        `train-step: ${gradientKinds.join(", ")} or auto; the run's own by default`,
      ).argParser((text) => showGradientRequest(parseGradientRequest(text))),
    )
    .option(
      "--updates <n>",
      "train-step: do as many updates per call as learning rates are given; FILE.start.onnx outputs n of them",
      positiveCount("--updates"),
    )
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((run, options) =>
      finish(import("./export.js").then(({ exportCommand }) => exportCommand(run, options, console))),
    );

  command(
    "inspect",
    "Shows what an .onnx file holds and what revort can do with it, or which runtimes work on this machine.",
    "inspect field.onnx",
    "inspect --runtimes",
  )
    .argument("[file]", "an .onnx file")
    .option("--runtimes", "for each runtime, whether it works on this machine, and if not, what to install")
    .addOption(timeInputOption())
    .addOption(stateInputOption())
    .addOption(outputNameOption())
    .addOption(trainableOption())
    .addOption(freezeOption())
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((file, options) =>
      finish(import("./inspect.js").then(({ inspectCommand }) => inspectCommand(file, options, console))),
    );

  serve(command, console, finish);
  bundle(command, console, finish);
  bench(command, console, finish, pages);

  command(
    "figure",
    "Makes a figure of McCallum & Foster's paper: SVG, PNG, and its numbers as JSON.",
    "figure stability",
  )
    .argument("<name>", figureNames.join(", "))
    .option("--out <folder>", "where to write; runs/figures by default")
    .option(
      "--coupling <lambda>",
      "λ of the coupled methods; the published one by default",
      number("--coupling"),
    )
    .addOption(runtimeOption())
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((name, options) =>
      finish(import("./figure.js").then(({ figureCommand }) => figureCommand(name, options, console))),
    );

  return revort;
}

/** `error: unknown option '--solvr'\n(Did you mean --solver?)` as one line. */
function oneLine(text: string): string {
  return text
    .trim()
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ");
}
