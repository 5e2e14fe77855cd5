import type { Command, Option } from "commander";
import type { Console } from "./console.js";
import { trainOptions } from "./shared-options.js";
import { givenOptions } from "./sweep/options.js";
import { positiveCount } from "./usage.js";

// Commands that go on from runs: many of them, what they are worth, and what they say of the future.

type NewCommand = (name: string, about: string, ...examples: string[]) => Command;
type Finish = (work: Promise<number>) => Promise<void>;

export function resultCommands(command: NewCommand, console: Console, finish: Finish): void {
  sweep(command, console, finish);
}

/** Options of `train` that a sweep gives its runs itself. */
const swept = ["--seed"];

function sweep(command: NewCommand, console: Console, finish: Finish): void {
  const made = trainOptions(
    command(
      "sweep",
      "Trains over seeds and values of options: mean ± standard deviation, the best run, a chart, CSV and JSON. The same " +
        "command goes on with what was interrupted. All other options are those of train.",
      "sweep influenza --seeds 0:10",
      "sweep my.csv --seeds 0:3 --grid learning-rate=1e-2,1e-3 --grid 'field=mlp:16;mlp:32,32' --jobs 2 --out runs/tried",
      "sweep two-moons --seeds 0,1,2 --steps 300 --by 'test loss'",
      "sweep spec.json",
    ).argument(
      "<subject>",
      'an experiment, a file of data, or a JSON file: { "train": "influenza", "options": { "steps": 500 }, "seeds": "0:10", "grid": { "learning-rate": [0.01, 0.001] } }',
    ),
  );
  const known = new Map<string, Option>();
  for (const option of made.options) {
    if (swept.includes(option.long!)) option.hideHelp();
    else known.set(option.long!.replace(/^--/, ""), option);
  }
  made
    .option("--seeds <seeds>", "FROM:TO (0:10 is ten seeds, 0 to 9) or 0,3,7; 0:3 by default")
    .option(
      "--grid <axis>",
      "values of an option of train, each tried with each seed: learning-rate=1e-2,1e-3; may be given for several options; none by default",
      (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
    )
    .option(
      "--jobs <n>",
      "runs side by side, each in a process of its own; 1 by default",
      positiveCount("--jobs"),
    )
    .option(
      "--by <number>",
      "what runs are compared by: loss, test loss, …; by default the validation loss where there is one, else the loss",
    )
    .option("--highest", "the best run is the one where that is highest, as for an accuracy")
    .option("--out <folder>", "where to write, and to go on; runs/sweep-NAME by default")
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((subject, options) =>
      finish(
        import("./sweep/command.js").then(async ({ sweepCommand }) => {
          const { inOwnProcess } = await import("./sweep/child.js");
          const train = givenOptions(options, made.options);
          return sweepCommand(subject, options, { train, known, runCommand: inOwnProcess }, console);
        }),
      ),
    );
}
