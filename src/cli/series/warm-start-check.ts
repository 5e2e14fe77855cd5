import { stagesOf } from "../../experiments/series/experiment.js";
import type { SeriesSet } from "../../experiments/series/series-set.js";
import { UsageError } from "../usage.js";
import type { KeptSeries, SeriesOptions } from "./settings.js";

/** @throws {UsageError} for options of a warm start where there is none */
export function checkWarmStart(
  set: SeriesSet,
  series: KeptSeries,
  { init, warmStart: asked, restarts }: SeriesOptions,
): void {
  if (init !== undefined && (asked !== undefined || restarts !== undefined)) {
    throw new UsageError("Give either --init, or --warm-start and --restarts, not both.");
  }
  if (restarts === undefined || restarts === 1 || stagesOf(set, series).length > 0) return;
  throw new UsageError(
    "--restarts is of a warm start, for which these trajectories are too short. Leave it out, or give windows: --warm-start 4:300.",
  );
}
