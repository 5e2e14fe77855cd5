import { RevortError } from "../../core/errors.js";
import { tensor } from "../../core/tensor.js";
import { componentNames } from "../../fields/components.js";
import type { Instant } from "../../storage/iso-time.js";
import { numberOf, startTime, timesFrom } from "../forecast-times.js";
import type { DataFile, SeriesForecast, SeriesForecastRequest, TrainedTask } from "../task-experiment.js";
import { timeSince } from "./clock.js";
import { type SeriesModel, startNames } from "./model.js";
import { newStretches } from "./new-series.js";
import type { ReadSet } from "./read-set.js";
import { firstValue, inputAt, type SampleShape } from "./samples.js";
import type { Series, SeriesSet } from "./series-set.js";
import { statesAt } from "./states.js";

/** A forecast that the data do not have. */
export class SeriesForecastError extends RevortError {}

export interface ForecastContext {
  readonly set: SeriesSet;
  readonly setting: SeriesModel;
  readonly shape: Omit<SampleShape, "steps">;
  readonly readFile: (file: DataFile) => Promise<ReadSet>;
}

/** States over time: of a trajectory of the data, of one that was not seen, or from a state that is given. */
export async function forecastOf(
  { set, setting, shape, readFile }: ForecastContext,
  trained: TrainedTask,
  request: SeriesForecastRequest,
): Promise<SeriesForecast> {
  const { file, y0, note, every } = request;
  const read = file === undefined ? null : await readFile(file);
  for (const { message } of read?.warnings ?? []) note(`Warning: ${message}`);
  const given = read?.set ?? set;
  if (file !== undefined && y0 === undefined) newStretches(given, set, file.name);
  const series = chosen(given, request);
  const own = file === undefined && y0 === undefined;
  const [first, last] = [series.times[0]!, series.times.at(-1)!];
  const { origin, unit } = given.time;
  const at = origin ? (moment: Instant) => timeSince(origin, moment, unit) : null;
  const [from, to] = [
    numberOf("--from", request.from ?? first, at, { first, last }),
    numberOf("--to", request.to ?? last, at, { first, last }),
  ];
  const times = timesFrom(from, to, every);
  const t0 = y0 === undefined ? startTime(series.times[0]!, from, to) : from;
  if (to < from) throw new SeriesForecastError(`A forecast goes forwards from ${from}; give a later --to.`);
  if (set.inputs.length > 0 && times.at(-1)! > series.times.at(-1)!) {
    note(`Past t = ${series.times.at(-1)} the inputs ${set.inputs.join(", ")} stay at their last values.`);
  }
  const hidden = setting.ownHidden ?? [];
  const names = [
    ...set.observed,
    ...componentNames(setting.field).slice(set.observed.length, set.observed.length + hidden.length),
  ];
  const whole = startOf(names, series, {
    y0,
    hidden: own ? 0 : hidden.length,
    observed: set.observed.length,
  });
  const start = whole.slice(0, set.observed.length);
  // what drives the field is linear between its own times, so the solve ends steps there as well
  const knots = set.inputs.length === 0 ? [] : series.times.filter((t) => t > t0 && t < times.at(-1)!);
  const on = [...new Set([t0, ...times, ...knots])].sort((a, b) => a - b);
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
  const starts = own ? setting.starts : hidden.length > 0 ? 1 : 0;
  const change = hidden.map((unit, k) => whole[set.observed.length + k]! / unit);
  const parameters =
    own || starts === 0
      ? trained.parameters
      : {
          ...trained.parameters,
          [startNames.change]: tensor(trained.dtype, [1, names.length], [...start.map(() => 0), ...change]),
        };
  const [states] = await statesAt({ ...setting, starts }, [stretch], shape, { ...trained, parameters });
  return {
    components: names,
    ...{ time: { name: set.time.name, unit: set.time.unit }, unit: "as in the file", times },
    states: names.map((_, j) => states!.map((state) => state[j]!)),
    observed:
      y0 !== undefined && file === undefined
        ? null
        : {
            times: series.times,
            values: names.map((_, j) => series.values.map((row) => row[j] ?? Number.NaN)),
          },
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

/** The initial state: what was given, or first observations, which have no hidden components. */
function startOf(
  names: readonly string[],
  series: Series,
  {
    y0,
    hidden,
    observed,
  }: { readonly y0: readonly number[] | undefined; readonly hidden: number; readonly observed: number },
): readonly number[] {
  if (y0 === undefined && hidden === 0)
    return names.slice(0, observed).map((_, j) => firstValue(series, 0, j));
  if (y0?.length === names.length) return y0;
  const wanted = `--y0 takes ${names.length} numbers (${names.join(", ")})`;
  throw new SeriesForecastError(
    y0 === undefined
      ? `Nothing was observed of ${names.slice(observed).join(", ")} there. Give the initial state: ${wanted}.`
      : `${wanted}, but ${y0.length} were given.`,
  );
}
