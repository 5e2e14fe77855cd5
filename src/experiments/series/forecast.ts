import { RevortError } from "../../core/errors.js";
import { timesFrom } from "../forecast-times.js";
import type { DataFile, SeriesForecast, SeriesForecastRequest, TrainedTask } from "../task-experiment.js";
import type { SeriesModel } from "./model.js";
import { newStretches } from "./new-series.js";
import { firstValue, inputAt, type SampleShape } from "./samples.js";
import type { Series, SeriesSet } from "./series-set.js";
import { statesAt } from "./states.js";

/** A forecast that the data do not have. */
export class SeriesForecastError extends RevortError {}

export interface ForecastContext {
  readonly set: SeriesSet;
  readonly setting: SeriesModel;
  readonly shape: Omit<SampleShape, "steps">;
  readonly readFile: (file: DataFile) => Promise<SeriesSet>;
}

/** States over time: of a trajectory of the data, of one that was not seen, or from a state that is given. */
export async function forecastOf(
  { set, setting, shape, readFile }: ForecastContext,
  trained: TrainedTask,
  request: SeriesForecastRequest,
): Promise<SeriesForecast> {
  const { file, y0, note, every } = request;
  const given = file === undefined ? set : await readFile(file);
  if (file !== undefined && y0 === undefined) newStretches(given, set, file.name);
  const series = chosen(given, request);
  const own = file === undefined && y0 === undefined && request.from === undefined;
  const t0 = request.from ?? series.times[0]!;
  const times = timesFrom(t0, request.to ?? series.times.at(-1)!, every);
  if (times.at(-1)! < t0) {
    throw new SeriesForecastError(`A forecast goes forwards from ${t0}; give a later --to.`);
  }
  if (set.inputs.length > 0 && times.at(-1)! > series.times.at(-1)!) {
    note(`Past t = ${series.times.at(-1)} the inputs ${set.inputs.join(", ")} stay at their last values.`);
  }
  const start = startOf(set, series, y0);
  // what drives the field is linear between its own times, so the solve ends steps there as well
  const knots = set.inputs.length === 0 ? [] : series.times.filter((t) => t > t0 && t < times.at(-1)!);
  const on = [...new Set([...times, ...knots])].sort((a, b) => a - b);
  const wanted = new Set(times);
  const path: Series = {
    ...{ id: series.id, times: on, errors: null },
    values: on.map((_, k) => (k === 0 ? start : start.map(() => Number.NaN))),
    inputs: on.map((t) => set.inputs.map((_, j) => inputAt(series, j, t))),
  };
  const stretch = {
    ...{ series: path, trajectory: own ? set.series.indexOf(series) : 0, from: 0 },
    measured: on.flatMap((t, k) => (wanted.has(t) ? [k] : [])),
  };
  const model = own ? setting : { ...setting, starts: 0 };
  const [states] = await statesAt(model, [stretch], shape, trained);
  return {
    components: set.observed,
    ...{ time: set.time, unit: "as in the file", times },
    states: set.observed.map((_, j) => states!.map((state) => state[j]!)),
    observed:
      y0 !== undefined && file === undefined
        ? null
        : { times: series.times, values: set.observed.map((_, j) => series.values.map((row) => row[j]!)) },
  };
}

function chosen({ series }: SeriesSet, { trajectory, note }: SeriesForecastRequest): Series {
  const [first] = series as readonly [Series];
  const names = series.map(({ id }) => id);
  if (trajectory === undefined) {
    if (series.length > 1) {
      note(
        `This is the trajectory ${first.id}, the first of ${series.length}; --trajectory chooses another.`,
      );
    }
    return first;
  }
  const found = series.find(({ id }) => id === trajectory);
  if (found !== undefined) return found;
  throw new SeriesForecastError(
    `There is no trajectory ${trajectory}; there are ${names.slice(0, 10).join(", ")}.`,
  );
}

function startOf(
  { observed }: SeriesSet,
  series: Series,
  y0: readonly number[] | undefined,
): readonly number[] {
  if (y0 === undefined) return observed.map((_, j) => firstValue(series, 0, j));
  if (y0.length === observed.length) return y0;
  throw new SeriesForecastError(
    `--y0 takes ${observed.length} numbers (${observed.join(", ")}), but ${y0.length} were given.`,
  );
}
