import { type Command, Option } from "commander";
import { timeUnits } from "../../experiments/series/read-set.js";
import { count, oneOf, positiveCount } from "../usage.js";
import { type Preset, presets } from "./presets.js";

/** Options of `train` for files of trajectories. */
export function seriesOptions(command: Command): Command {
  const about = Object.entries<Preset>(presets).map(([name, preset]) => `${name} (${preset.about})`);
  const names = Object.keys(presets) as (keyof typeof presets)[];
  const units = Object.keys(timeUnits) as (keyof typeof timeUnits)[];
  return command
    .option(
      "--trajectory <column>",
      "trajectories: the column that says which one a row belongs to; by default each file is one",
    )
    .option(
      "--time <column>",
      "trajectories: the column of times; the first by default. Dates and times in ISO 8601 will do",
    )
    .addOption(
      new Option(
        "--time-unit <unit>",
        `trajectories: of dates and times: ${units.join(", ")}; by default one that suits them`,
      ).argParser(oneOf("--time-unit", units)),
    )
    .option(
      "--decimal-comma",
      "trajectories: 1,5 is one and a half; by default where the file leaves no doubt",
    )
    .option(
      "--observe <columns>",
      "trajectories: columns that are states, with commas; by default all that are nothing else",
    )
    .option(
      "--hidden <n>",
      "trajectories: components of the state that are not observed; 0 by default",
      count("--hidden"),
    )
    .option(
      "--input <columns>",
      "trajectories: columns that drive the field without being its state; none by default",
    )
    .option(
      "--error <pairs>",
      "trajectories: columns of measurement errors, x=x_sd,v=v_sd, by which observations are weighted; none by default",
    )
    .option(
      "--validation <part>",
      "trajectories: what is not trained on, but chosen by: 0.2 (of the trajectories; of one, of its end), id=a,b or time=40; none by default",
    )
    .option("--test <part>", "trajectories: what is measured at the end alone, likewise; none by default")
    .option(
      "--window <n>",
      "trajectories: train on windows of so many gaps between observations; on whole trajectories by default",
      positiveCount("--window"),
    )
    .option(
      "--warm-start <stages>",
      "files of data: windows to fit to before all else, SIZE:UPDATES,… or none, with initial states that are trained; by default 8:400,24:300 as far as a series is longer, of no more updates than --steps, and then a learning rate of 1e-3",
    )
    .option(
      "--restarts <n>",
      "trajectories: warm starts from so many seeds, of which the best is taken; 1 by default",
      positiveCount("--restarts"),
    )
    .option("--sees-time", "trajectories: the field depends on time; not by default")
    .addOption(
      new Option(
        "--preset <kind>",
        `trajectories: what suits a kind of data, each by default: ${about.join("; ")}`,
      ).argParser(oneOf("--preset", names)),
    );
}
