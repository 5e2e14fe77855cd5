import { numbers, type Tensor } from "../../core/tensor.js";
import { type ForecastTime, numberOf, startTime, timesFrom } from "../../experiments/forecast-times.js";
import type { SeriesForecast } from "../../experiments/task-experiment.js";
import { componentNames } from "../../fields/components.js";
import { solve } from "../../integrate/solve.js";
import type { TimeSeries } from "../../storage/csv.js";
import { UsageError } from "../usage.js";
import { givenState, trajectoryOf } from "./new-data.js";
import { newSeries } from "./new-series.js";
import type { TrainedRun } from "./trained-run.js";

/** What is to be predicted. */
export interface ForecastRequest {
  /** of a run on several trajectories: which one */
  readonly trajectory?: string;
  /** the last time; that of the data by default */
  readonly to?: ForecastTime;
  /** where it starts; the first time of the data by default */
  readonly from?: ForecastTime;
  /** time from one state to the next; 1/400 of the whole by default */
  readonly every?: number;
  readonly y0?: string;
  /** a file whose first row is the initial state, and which is drawn in */
  readonly data?: string;
  /** numbers that stand for missing values in it, beside those of the run */
  readonly missing?: readonly number[];
}

/** States over time, and what was observed meanwhile. */
export type Forecast = SeriesForecast;

/** A forecast, with its range over the runs of a sweep. */
export interface Prediction extends Forecast {
  /** the runs that it is of: one, or those of a sweep with other seeds */
  readonly runs: readonly string[];
  /** least and greatest of the runs, [components][times]; `null` for one run */
  readonly low: Forecast["states"] | null;
  readonly high: Forecast["states"] | null;
}

/**
 * The states of a trained field from an initial state on, by the solver that trained it.
 *
 * @throws {UsageError} for times that do not make sense, or data that the run does not know
 * @throws {SolveError} if the solve does not get to its end
 */
export async function forecastOf(
  run: TrainedRun,
  request: ForecastRequest,
  note: (text: string) => void,
): Promise<Forecast> {
  const { problem, parameters, runtime } = run;
  const { ode, control, experiment } = problem;
  const asked = request.y0 === undefined ? null : givenState(problem, request.y0);
  const file =
    request.data === undefined
      ? null
      : await fileOf(
          run,
          await newSeries(run, request.data, request.missing ?? [], note),
          request.data,
          asked,
        );
  const observed = file?.observed ?? (asked === null ? ownData(run) : null);
  const begins = file?.t0 ?? problem.data.t0;
  const last = observed?.times.at(-1) ?? problem.data.times.at(-1)!;
  const from = numberOf("--from", request.from ?? begins, null, { first: begins, last });
  const to = numberOf("--to", request.to ?? last, null, { first: begins, last });
  const t0 = asked === null ? startTime(begins, from, to) : from;
  const y0 = asked ?? file?.y0 ?? run.y0;
  if (y0.shape[0] !== 1 && typeof ode.field.state[0] === "string") {
    throw new UsageError(
      `The run ${run.folder} has ${y0.shape[0]} trajectories. Say where the forecast starts: --y0 ${componentNames(ode.field).join(",")}.`,
    );
  }
  const times = timesFrom(from, to, request.every);
  const { ys } = await solve(ode, {
    ...{ runtime, parameters, y0, t0, saveAt: times, save: "interpolated" },
    ...(control && { control }),
  });
  return {
    components: componentNames(ode.field),
    ...{ time: experiment.time, unit: experiment.unit, times, observed },
    states: byComponent(ys, componentNames(ode.field).length),
  };
}

function fileOf({ problem }: TrainedRun, series: TimeSeries, path: string, y0: Tensor | null) {
  const data = trajectoryOf(problem, series, path, y0);
  return { t0: data.t0, y0: data.y0, observed: seriesBy(series, componentNames(problem.ode.field)) };
}

/** A series with a row for each component, NaN where it has none. */
function seriesBy({ times, names, values, columns }: TimeSeries, components: readonly string[]) {
  return {
    times: [...times],
    values: components.map((name) => {
      const column = names.indexOf(name);
      return Array.from(times, (_, i) => (column < 0 ? Number.NaN : values[i * columns + column]!));
    }),
  };
}

/** What a run was trained on, of the first trajectory, its start with it where that was observed. */
function ownData({ problem: { ode, data, experiment } }: TrainedRun): Forecast["observed"] {
  const count = componentNames(ode.field).length;
  const later = byComponent(data.observations, count);
  if (experiment.assumesStart || data.times[0] === data.t0) return { times: [...data.times], values: later };
  const start = byComponent({ ...data.y0, shape: [1, ...data.y0.shape] }, count);
  return { times: [data.t0, ...data.times], values: later.map((values, i) => [start[i]![0]!, ...values]) };
}

/** The first trajectory of states [times, …], [components][times]. */
function byComponent(states: Tensor, components: number): number[][] {
  const all = numbers(states);
  const times = states.shape[0]!;
  const each = all.length / times;
  return Array.from({ length: components }, (_, i) =>
    Array.from({ length: times }, (_, k) => all[k * each + i]!),
  );
}
