import { Command, CommanderError, Option } from "commander";
import { activations } from "../fields/activations.js";
import { losses } from "../learning/losses.js";
import { optimisers } from "../learning/optimisers.js";
import { solverNames } from "../methods/named.js";
import { gradientMethods } from "../programs/gradient.js";
import { experiments } from "../experiments/all.js";
import { version } from "../version.js";
import type { Console } from "./console.js";
import { exportCommand } from "./export.js";
import { describeError, exitCodeOf, exitCodes } from "./failure.js";
import { gradcheckCommand } from "./gradcheck.js";
import { inspectCommand } from "./inspect.js";
import { runtimeNames } from "./runtimes.js";
import { solveCommand } from "./solve.js";
import { start } from "./start.js";
import { trainCommand } from "./train.js";
import { count, notNegative, number, oneOf, positive } from "./usage.js";

/**
 * Runs a command line.
 *
 * @param words  the command and its arguments, `["train", "influenza"]`
 * @returns the exit code: 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted
 */
export async function main(words: readonly string[], console: Console): Promise<number> {
  let exitCode: number = exitCodes.done;
  const debug = words.includes("--debug");
  const finish = async (work: Promise<number>) => {
    exitCode = await work;
  };
  try {
    await program(console, finish).parseAsync([...words], { from: "user" });
    return exitCode;
  } catch (error) {
    // commander has already said what is wrong with the words themselves
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.wrongRequest;
    console.stderr.write(`revort: ${describeError(error, debug)}\n`);
    return exitCodeOf(error);
  }
}

type Finish = (work: Promise<number>) => Promise<void>;

function program(console: Console, finish: Finish): Command {
  const revort = new Command("revort")
    .description("Exact constant-memory gradients for neural differential equations, on ONNX Runtime.")
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => console.stdout.write(text),
      writeErr: (text) => console.stderr.write(text),
    });
  const command = (name: string, about: string) =>
    revort.command(name).description(about).exitOverride().option("--debug", "show stack traces");

  command("start", "a tour: fit real data, train, export, run the export again").action(() => finish(start(console)));

  problemOptions(
    command("train", "train a neural ODE on an experiment or a CSV file (first column: time)").argument(
      "[subject]",
      `${experiments.map((e) => e.name).join(", ")}, or a CSV file`,
    ),
  )
    .option("--resume <run>", "go on with a run's folder")
    .option("--out <folder>", "where to write; runs/NAME by default")
    .option("--overwrite", "replace a run that is in --out")
    .option("--json", "print JSON alone on stdout")
    .action((subject, { debug: _, ...options }) => finish(trainCommand(subject, options, console)));

  problemOptions(
    command("gradcheck", "hold every gradient method against the others and finite differences").argument("<subject>"),
  )
    .option("--json", "print JSON alone on stdout")
    .action((subject, options) => finish(gradcheckCommand(subject, options, console)));

  command("solve", "solve with a vector field from a file")
    .argument("<field>", "an .onnx file: dy/dt from t and y, or from y alone")
    .requiredOption("--y0 <state>", "initial state: 1,0 or nested JSON arrays")
    .requiredOption("--t0 <time>", "initial time", number("--t0"))
    .requiredOption("--t1 <time>", "final time", number("--t1"))
    .addOption(solverOption())
    .option("--reversible", "couple the solver, so that it can be undone")
    .option("--coupling <lambda>", "λ in (0, 1] of the coupled solver", number("--coupling"))
    .option("--step-size <h>", "largest step", positive("--step-size"))
    .option("--save-at <times>", "from:to:by, or times with commas; the final time by default")
    .addOption(dtypeOption())
    .addOption(runtimeOption())
    .option("--out <file>", "write the solution as CSV")
    .option("--json", "print JSON alone on stdout")
    .action((field, options) => finish(solveCommand(field, options, console)));

  command("export", "write the trained field of a run as one .onnx")
    .argument("<run>", "a run's folder")
    .requiredOption("--out <file>", "where to write")
    .option("--best", "the parameters with the lowest loss instead of the last ones")
    .option("--json", "print JSON alone on stdout")
    .action((run, options) => finish(exportCommand(run, options, console)));

  command("inspect", "what an .onnx file holds, and what revort can do with it")
    .argument("<file>", "an .onnx file")
    .option("--json", "print JSON alone on stdout")
    .action((file, options) => finish(inspectCommand(file, options, console)));

  return revort;
}

function solverOption(): Option {
  return new Option("--solver <name>", solverNames.join(", "));
}

function dtypeOption(): Option {
  return new Option("--dtype <type>", "float64 or float32").argParser(oneOf("--dtype", ["float64", "float32"]));
}

function runtimeOption(): Option {
  return new Option("--runtime <name>", runtimeNames.join(", ")).argParser(oneOf("--runtime", runtimeNames));
}

function choice<K extends string>(flag: string, argument: string, about: string, record: Readonly<Record<K, unknown>>) {
  const words = Object.keys(record) as K[];
  return new Option(`${flag} <${argument}>`, `${about}: ${words.join(", ")}`).argParser(oneOf(flag, words));
}

/** Options that say what is trained on what, and how. */
function problemOptions(command: Command): Command {
  return command
    .option("--data <file>", "the file of an experiment that needs one")
    .option("--field <field>", "mlp:WIDTH,WIDTH,… or an .onnx file; the experiment's own by default")
    .addOption(choice("--activation", "name", "activation of a perceptron", activations))
    .option("--autonomous", "a perceptron that does not see time")
    .addOption(solverOption())
    .addOption(
      new Option("--gradient <method>", gradientMethods.join(", ")).argParser(oneOf("--gradient", gradientMethods)),
    )
    .option("--reversible", "couple the solver also where --gradient direct does not need it")
    .option("--coupling <lambda>", "λ in (0, 1]", number("--coupling"))
    .option("--step-size <h>", "largest step", positive("--step-size"))
    .addOption(dtypeOption())
    .addOption(runtimeOption())
    .option("--steps <n>", "number of updates", count("--steps"))
    .addOption(choice("--optimiser", "name", "", optimisers))
    .option("--learning-rate <rate>", "learning rate", positive("--learning-rate"))
    .option("--weight-decay <wd>", "weight decay", notNegative("--weight-decay"))
    .addOption(choice("--loss", "name", "", losses))
    .option("--clip <norm>", "largest norm of a gradient", positive("--clip"))
    .option("--patience <n>", "stop after so many updates without a lower loss", count("--patience"))
    .option("--train-y0", "train the initial state as well")
    .option("--seed <n>", "of the initial parameters", count("--seed"))
    .option("--init <file>", "initial parameters, as safetensors");
}
