import type { Command, Option } from "commander";
import type { Console } from "./console.js";
import { missingOption, runtimeOption, threadsOption, trainOptions } from "./shared-options.js";
import { givenOptions } from "./sweep/options.js";
import { positive, positiveCount, time } from "./usage.js";

// Commands that go on from runs: many of them, what they are worth, and what they say of the future.

type NewCommand = (name: string, about: string, ...examples: string[]) => Command;
type Finish = (work: Promise<number>) => Promise<void>;

export function resultCommands(command: NewCommand, console: Console, finish: Finish): void {
  sweep(command, console, finish);
  evaluate(command, console, finish);
  predict(command, console, finish);
  compare(command, console, finish);
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
    .optionsGroup("The sweep:")
    .option("--seeds <seeds>", "FROM:TO (0:10 is ten seeds, 0 to 9) or 0,3,7; 0:3 by default")
    .option(
      "--grid <axis>",
      "values of an option of train, each tried with every seed: learning-rate=1e-2,1e-3; may be repeated; none by default",
      (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
    )
    .option("--jobs <n>", "runs at a time, each in its own process; 1 by default", positiveCount("--jobs"))
    .addOption(threadsOption("of each run; by default the jobs share the cores"))
    .option(
      "--by <number>",
      "the number that runs are ranked by: loss, test loss, …; by default the validation loss if there is one, else the loss",
    )
    .option("--highest", "rank the highest number first, as for an accuracy")
    .option(
      "--out <folder>",
      "folder of the sweep, which is continued if it exists; runs/sweep-NAME by default",
    )
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

function evaluate(command: NewCommand, console: Console, finish: Finish): void {
  command(
    "evaluate",
    "Measures a run: loss and metrics on its own data (training, validation, test) or on new data.",
    "evaluate runs/mine",
    "evaluate runs/mine --data held-out.csv --json",
  )
    .argument("<run>", "the folder of a run")
    .option(
      "--data <file>",
      "measure on this file instead: CSV with the run's columns, whose first row is the initial state; for other kinds of runs points, series or a text",
    )
    .addOption(missingOption())
    .option("--y0 <state>", "initial state of these data; their first row by default")
    .option("--best", "the parameters with the lowest loss instead of the last ones")
    .addOption(runtimeOption())
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((run, options) =>
      finish(
        import("./results/evaluate.js").then(({ evaluateCommand }) => evaluateCommand(run, options, console)),
      ),
    );
}

function predict(command: NewCommand, console: Console, finish: Finish): void {
  command(
    "predict",
    "Solves the trained field of a run, past the end of its data if asked: states over time as CSV, with a chart of data and " +
      "forecast beside --out. For a sweep, the mean over its seeds and their range.",
    "predict runs/mine --to 50 --out forecast.csv",
    "predict runs/mine --data new.csv --to 50 --every 0.5",
    "predict runs/tried --to 50 --y0 1,0 --json",
  )
    .argument("<run>", "the folder of a run, or of a sweep")
    .option(
      "--to <time>",
      "last time, or date where times are dates; the end of the data by default",
      time("--to"),
    )
    .option("--from <time>", "first time; the beginning of the data by default", time("--from"))
    .option("--every <time>", "interval between two rows; 1/400 of the whole by default", positive("--every"))
    .option("--y0 <state>", "initial state: 1,0 or nested JSON arrays; the run's own by default")
    .option("--data <file>", "a CSV file to start from (its first row) and to draw in the chart")
    .addOption(missingOption())
    .option("--trajectory <name>", "which trajectory of a run on several; the first by default")
    .option("--best", "the parameters with the lowest loss instead of the last ones")
    .addOption(runtimeOption())
    .option("--out <file>", "write the CSV there instead of to stdout, with a chart beside it (.svg, .png)")
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((run, options) =>
      finish(
        import("./results/predict.js").then(({ predictCommand }) => predictCommand(run, options, console)),
      ),
    );
}

function compare(command: NewCommand, console: Console, finish: Finish): void {
  command(
    "compare",
    "Compares runs: losses, checks and the settings that differ in one table, and a chart of the losses.",
    "compare runs/mine runs/mine-2",
    "compare runs/tried --json",
  )
    .argument("<run...>", "folders of runs, or of sweeps for all of their runs")
    .option("--out <file>", "file of the chart (.svg; .png beside it); runs/compare.svg by default")
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((runs, options) =>
      finish(
        import("./results/compare.js").then(({ compareCommand }) => compareCommand(runs, options, console)),
      ),
    );
}
