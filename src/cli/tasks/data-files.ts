import { basename, join } from "node:path";
import type { TaskExperiment } from "../../experiments/task-experiment.js";
import { namesIn } from "../../storage/read.js";
import { copyNames } from "../run-inputs.js";
import { UsageError } from "../usage.js";
import type { TaskOptions } from "./settings.js";

/** The files given with --data. @throws {UsageError | StorageError | DataError} unless they are those that the experiment takes */
export async function dataPaths(
  { name, data }: TaskExperiment,
  { data: given }: TaskOptions,
): Promise<string[]> {
  if (given !== undefined && data?.filesIn !== undefined) {
    return data.filesIn(await namesIn(given), given).map((file) => join(given, file));
  }
  // a comma may be part of a name, where there is one
  const paths = given === undefined ? [] : data?.files === 1 ? [given] : given.split(",");
  if (paths.length > 0 && data === null) {
    throw new UsageError(`The experiment ${name} has its own data; leave out --data.`);
  }
  if (paths.length === (data?.files ?? 0) || (paths.length === 0 && !data!.needed)) return paths;
  const flag = `--data ${Array(data!.files).fill("FILE").join(",")}`;
  throw new UsageError(`The experiment ${name} ${data!.needed ? "needs" : "takes"} ${flag}: ${data!.what}.`);
}

/** What copies of the data are called: numbered where they would have one name. */
export function copiesOf(paths: readonly string[]): string[] {
  const names = paths.map((path) => basename(path));
  const isClear = new Set(names).size === names.length;
  return names.map((name, i) => copyNames.data(isClear ? name : `${i + 1}-${name}`));
}
