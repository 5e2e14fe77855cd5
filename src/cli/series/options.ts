import { type Command, Option } from "commander";
import { timeUnits } from "../../experiments/series/clock.js";
import { count, oneOf, positiveCount } from "../usage.js";
import { type Preset, presets } from "./presets.js";

/** Options of `train` for files of trajectories. */
export function seriesOptions(command: Command): Command {
  const about = Object.entries<Preset>(presets).map(([name, preset]) => `${name} (${preset.about})`);
  const names = Object.keys(presets) as (keyof typeof presets)[];
  const units = Object.keys(timeUnits) as (keyof typeof timeUnits)[];
  return command
    .optionsGroup("Several trajectories, or columns with roles:")
    .option(
      "--trajectory <column>",
      "the column that names the trajectory of each row; by default each file is one trajectory",
    )
    .option("--time <column>", "the column of times, numbers or ISO 8601 dates; the first by default")
    .addOption(
      new Option(
        "--time-unit <unit>",
        `unit of time for dates: ${units.join(", ")}; chosen from the data by default`,
      ).argParser(oneOf("--time-unit", units)),
    )
    .option("--decimal-comma", "read 1,5 as one and a half; on by default where the file is unambiguous")
    .option(
      "--observe <columns>",
      "the columns that are states, separated by commas; by default all that have no other role",
    )
    .option("--hidden <n>", "number of further states that are not observed; 0 by default", count("--hidden"))
    .option(
      "--input <columns>",
      "columns that drive the field without being part of its state; none by default",
    )
    .option(
      "--error <pairs>",
      "columns with the standard errors of observations, x=x_sd,v=v_sd, which weight them; none by default",
    )
    .option(
      "--validation <part>",
      "data held out to choose the best parameters: 0.2 (a fifth of the trajectories, or the last fifth of a single one), id=a,b or time=40 (from then on); none by default",
    )
    .option("--test <part>", "data held out until the end, given as for --validation; none by default")
    .option(
      "--window <n>",
      "train on windows of this many observation intervals; on whole trajectories by default",
      positiveCount("--window"),
    )
    .option(
      "--warm-start <stages>",
      "first fit short windows, then longer ones, each with an initial state of its own (multiple shooting, growing horizon): SIZE:UPDATES,…, or none; 8:400,24:300 by default, where the series is longer than that and --steps allows, followed by a learning rate of 1e-3 where a column oscillates",
    )
    .option(
      "--restarts <n>",
      "try the warm start from this many seeds and continue from the best; 1 by default",
      positiveCount("--restarts"),
    )
    .option("--sees-time", "let the field depend on time; off by default")
    .addOption(
      new Option(
        "--preset <kind>",
        `other defaults for a kind of data; none by default: ${about.join("; ")}`,
      ).argParser(oneOf("--preset", names)),
    );
}
