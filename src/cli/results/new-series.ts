import { sentinelsOf } from "../../experiments/own-data.js";
import { parseTimeSeries, type TimeSeries } from "../../storage/csv.js";
import { readText } from "../../storage/read.js";
import type { TrainedRun } from "./trained-run.js";

/**
 * A file of data that a run was not trained on.
 *
 * @param missing  numbers that stand for missing values in it, beside those of the run
 * @param note  takes what is doubtful about it
 */
export async function newSeries(
  { settings }: Pick<TrainedRun, "settings">,
  path: string,
  missing: readonly number[],
  note: (text: string) => void,
): Promise<TimeSeries> {
  const series = parseTimeSeries(await readText(path), {
    ...{ source: path, missing: [...settings.missing, ...missing] },
  });
  for (const { message } of sentinelsOf(series)) note(`Warning: ${message}`);
  return series;
}
