import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { experiments } from "../../experiments/all.js";
import { taskNames } from "../../experiments/task-names.js";
import { parseInstant } from "../../storage/iso-time.js";
import { readText } from "../../storage/read.js";
import { isDataFile } from "../settings.js";
import { optionFlag, UsageError } from "../usage.js";
import { type SeriesOptions, seriesFlags } from "./settings.js";

const dataFile = /\.(csv|tsv|txt|npy|parquet)$/i;

/**
 * The files of trajectories that a command line names; `null` where it names something else: an experiment, or one series in
 * a file that needs none of this.
 *
 * @throws {UsageError | StorageError}
 */
export async function seriesFiles(
  subjects: readonly string[],
  options: SeriesOptions,
): Promise<string[] | null> {
  const flag = seriesFlags.find((name) => options[name as keyof SeriesOptions] !== undefined);
  const [first] = subjects;
  if (first === undefined) return null;
  const named = subjects.find((subject) =>
    [...experiments.map(({ name }) => name), ...taskNames].includes(subject),
  );
  if (named !== undefined) {
    if (subjects.length > 1)
      throw new UsageError(`Name one experiment, or files of data; not ${subjects.join(" ")}.`);
    if (flag === undefined) return null;
    throw new UsageError(
      `${optionFlag(flag)} is for files of trajectories; leave it out for the experiment ${named}.`,
    );
  }
  const files = await filesOf(subjects);
  const isTable = /\.(npy|parquet)$/i.test(files[0]!);
  if (flag === undefined && files.length === 1 && !isTable) {
    return isDataFile(first) && (await isOnlyForThese(files[0]!)) ? files : null;
  }
  const names = files.map((file) => basename(file));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new UsageError(`Two files are called ${twice}; rename one, for trajectories go by their names.`);
  return files;
}

/** Files, and those of data in folders. @throws {UsageError} for a folder without such */
export async function filesOf(subjects: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const subject of subjects) files.push(...(await filesIn(subject)));
  return files;
}

/** A file, or the files of data in a folder. */
async function filesIn(subject: string): Promise<string[]> {
  const there = await stat(subject).catch(() => null);
  if (there === null || !there.isDirectory()) return [subject];
  const files = (await readdir(subject)).filter((name) => dataFile.test(name)).sort();
  if (files.length > 0) return files.map((name) => join(subject, name));
  throw new UsageError(
    `The folder ${subject} has no files of data (.csv, .tsv, .txt, .npy, .parquet) in it.`,
  );
}

/** Whether a table has dates for times, or decimal commas. */
async function isOnlyForThese(path: string): Promise<boolean> {
  const there = await stat(path).catch(() => null);
  // a pipe can be read only once
  if (there === null || !there.isFile()) return false;
  const lines = (await readText(path))
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const row = lines[1] ?? "";
  if (parseInstant((row.split(/[,;\t]/)[0] ?? "").replaceAll('"', "")) !== null) return true;
  return /[;\t]/.test(row) && /(^|[;\t])\s*[+-]?\d*,\d+\s*([;\t]|$)/.test(row);
}
