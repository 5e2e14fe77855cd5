import { type FloatDType, scalar, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import type { Event } from "../events/event.js";
import { type AdaptiveSetting, carriesSlope, timeShape } from "../programs/adaptive.js";
import {
  crossedName,
  locateNames,
  adaptiveNames as names,
  nextName,
  recordName,
  signalName,
  stateName,
  y0Name,
} from "../programs/names.js";
import { resting } from "../runtime/resting.js";
import type { DeviceTensor, DeviceTensors, Executable, Runtime } from "../runtime/runtime.js";
import { type Course, rootMeanSquare, rounded, type Track } from "./course.js";
import type { Row } from "./dense-solution.js";
import { adviceAgainstDrift, bracketError, partingError } from "./drive-failures.js";
import {
  DivergenceError,
  MaxStepsError,
  NonFiniteFieldError,
  SolveAbortedError,
  type Standing,
  StepUnderflowError,
} from "./failures.js";

/** Attempts per run: enough that the run itself costs little, few enough to listen to signals. */
const attemptsPerRun = 256;
/** What may be recorded per run, in bytes. */
const recordLimit = 1 << 25;

/** A solve on its way. */
export class March {
  readonly tracks: readonly Track[];
  readonly #runtime: Runtime;
  readonly #setting: AdaptiveSetting;
  readonly #programs: Programs;
  readonly #course: Course;
  /** parameters and bounds, which do not change */
  readonly #fixed: DeviceTensors;
  /** what one run hands to the next */
  readonly #carried: readonly string[];
  readonly #ends: readonly number[];
  readonly #rounding: number;
  readonly #smallest: number;
  readonly #rest = resting();
  #values: DeviceTensors = {};
  /** whether the values come from a run before, so that nobody else has them */
  #owned = false;
  /** for each track, the time that it goes to */
  #targets: number[] = [];
  /** for each track, whether an event has ended it */
  readonly #ended: boolean[];

  constructor(
    runtime: Runtime,
    setting: AdaptiveSetting,
    programs: Programs,
    parameters: DeviceTensors,
    y0: Tensor,
    course: Course,
  ) {
    const { method, control, dtype, events = [] } = setting;
    this.#runtime = runtime;
    this.#setting = setting;
    this.#programs = programs;
    this.#course = course;
    const { t0, stops } = course;
    const start = y0.data as Row;
    this.tracks = t0.map((time, i) => ({
      times: [rounded(dtype, time)],
      ...{ rejected: 0, parted: 0, located: 0, drift: 0 },
      size: rootMeanSquare(this.#rowOf(start, i)),
    }));
    this.#ended = t0.map(() => false);
    this.#ends = stops.map((own) => own.at(-1)!);
    this.#rounding = 4 * epsilon[dtype] * Math.max(...t0.map(Math.abs), ...this.#ends.map(Math.abs));
    this.#smallest = Math.max(control.kind === "pid" ? control.dtmin : 0, this.#rounding);
    this.#fixed = { ...parameters, [names.smallest]: runtime.upload(scalar(dtype, this.#smallest)) };
    this.#carried = [
      ...Array.from({ length: method.width }, (_, k) => stateName(k)),
      ...(carriesSlope(setting) ? [names.slope] : []),
      ...[names.t, names.h],
      ...(control.kind === "pid" ? [names.last, names.beforeLast, names.rejected] : []),
      ...events.map((_, k) => signalName(k)),
    ];
  }

  /** From y0 to the last stop; the state there. */
  async through(y0: Tensor): Promise<DeviceTensor[]> {
    const { t0, stops, wanted, onStop } = this.#course;
    const { dtype, method } = this.#setting;
    const ones = this.#upload(t0.map(() => 1));
    const start = { [y0Name]: this.#runtime.upload(y0), [names.t]: this.#upload(t0) };
    const before = { ...this.#fixed, ...start, [names.target]: this.#upload(this.#ends) };
    const never = t0.map(() => false);
    this.#values = {
      ...(await this.#programs.begin.run(pick(before, this.#programs.begin))),
      ...{ [names.t]: start[names.t]!, [names.last]: ones, [names.beforeLast]: ones },
      [names.rejected]: this.#runtime.upload(tensor("bool", timeShape(this.#setting), never)),
    };
    for (let stop = 0; stop < stops[0]!.length; stop++) {
      // a track that has ended waits where it is
      this.#targets = stops.map((own, i) => (this.#ended[i] ? this.#timeOf(i) : rounded(dtype, own[stop]!)));
      while (this.tracks.some((_, i) => this.#isUnderWay(i))) await this.#advance();
      if (!wanted(stop)) continue;
      const y = await this.#read(this.#values, stateName(0));
      for (const [i, { times }] of this.tracks.entries()) {
        if (!this.#ended[i]) onStop(i, stop, this.#rowOf(y, i), times.length - 1);
      }
    }
    return Array.from({ length: method.width }, (_, k) => this.#values[stateName(k)]!);
  }

  /** One run: a few hundred attempts, or up to the target, or to an event. */
  async #advance(): Promise<void> {
    const { go } = this.#programs;
    const { events = [] } = this.#setting;
    const attempts = await this.#attemptsLeft();
    const results = await go.run(
      pick(
        {
          ...{ ...this.#fixed, ...this.#values, [names.target]: this.#upload(this.#targets) },
          [names.attempts]: this.#runtime.upload(scalar("int64", attempts)),
        },
        go,
      ),
    );
    const crossed = await this.#readAll(results, events, crossedName);
    const crosses = (i: number) => crossed.some((flags) => flags[i]);
    const attempt = await this.#digest(results, crosses);
    const before = this.#values;
    this.#values = Object.fromEntries(this.#carried.map((name) => [name, results[nextName(name)]!]));
    if (this.#owned) for (const name of this.#carried) this.#runtime.dispose(before[name]!);
    this.#owned = true;
    if (this.tracks.some((_, i) => crosses(i))) await this.#meet(results, crossed);
    if ((await this.#read(results, names.failed))[0]) throw await this.#failure(attempt);
  }

  /** How many steps the next run may try. @throws {SolveError | SolveAbortedError} if it may not */
  async #attemptsLeft(): Promise<number> {
    const { signal, maxSteps } = this.#course;
    const { record, state, dtype, method } = this.#setting;
    await this.#rest(signal);
    const attemptsOf = (i: number) => this.tracks[i]!.times.length - 1 + this.tracks[i]!.rejected;
    const underWay = [...this.tracks.keys()].filter((i) => this.#isUnderWay(i));
    const most = underWay.reduce((i, j) => (attemptsOf(j) > attemptsOf(i) ? j : i));
    if (signal?.aborted) throw new SolveAbortedError(this.#timeOf(most), this.#ends[most]!, signal.reason);
    const used = attemptsOf(most);
    if (used >= maxSteps) {
      const advice = this.tracks[most]!.parted > 0 ? adviceAgainstDrift(method) : null;
      throw new MaxStepsError(await this.#standing(most), maxSteps, this.#ends[most]!, advice);
    }
    const arrays = record === "nothing" ? 0 : record === "states" ? 1 : usualCoefficients;
    const bytes = arrays * sizeOf(state) * (dtype === "float64" ? 8 : 4);
    return Math.min(maxSteps - used, attemptsPerRun, Math.max(1, Math.floor(recordLimit / bytes)));
  }

  /** Takes down what a run has tried, and returns the norms of its last attempts. */
  async #digest(results: DeviceTensors, crosses: (track: number) => boolean): Promise<LastAttempt> {
    const { control, method } = this.#setting;
    const times = await this.#read(results, names.times);
    const accepted = await this.#read(results, names.accepted);
    const watched = method.companion !== undefined;
    const drift = watched ? await this.#read(results, names.drift) : null;
    const size = watched ? await this.#read(results, names.size) : null;
    const norm = control.kind === "pid" ? await this.#read(results, names.norm) : null;
    const records = await this.#records(results);
    const count = this.tracks.length;
    const n = times.length / count;
    for (const [i, track] of this.tracks.entries()) {
      for (let k = 0; k < n && this.#isUnderWay(i); k++) {
        const at = k * count + i;
        // a step in which something happens is taken again, up to there
        if (k === n - 1 && crosses(i)) continue;
        if (accepted[at]) {
          if (drift !== null) {
            track.drift = Math.max(track.drift, drift[at]!);
            track.size = Math.max(track.size, size![at]!);
          }
          this.#step(i, times[at]!, records, k);
        } else {
          track.rejected++;
          if (norm !== null && norm[at]! < 1) track.parted++;
        }
      }
    }
    const last = (n - 1) * count;
    return { accepted: accepted.slice(last), norm: norm?.slice(last) ?? null };
  }

  #step(track: number, to: number, records: readonly Row[], element: number): void {
    const from = this.#timeOf(track);
    this.tracks[track]!.times.push(to);
    if (records.length === 0) return;
    this.#course.onStep(
      track,
      from,
      to,
      records.map((data) => this.#rowOf(data, track, element)),
    );
  }

  /** Takes the steps in which events happen up to the first of them. */
  async #meet(results: DeviceTensors, crossed: readonly Row[]): Promise<void> {
    const { events = [], dtype } = this.#setting;
    const { eventTolerance = 0, onEvent } = this.#course;
    const locate = this.#programs.locate!;
    const tolerance = Math.max(eventTolerance, this.#rounding);
    const found = await locate.run(
      pick(
        {
          ...{ ...this.#fixed, ...results, ...this.#values },
          [locateNames.tolerance]: this.#runtime.upload(scalar(dtype, tolerance)),
        },
        locate,
      ),
    );
    const at = await this.#read(found, nextName(names.t));
    const width = (await this.#read(found, locateNames.width))[0]!;
    const iterations = Number((await this.#read(found, locateNames.iterations))[0]!);
    const y = await this.#read(found, nextName(stateName(0)));
    const happened = await this.#readAll(found, events, (k) => nextName(crossedName(k)));
    const records = await this.#records(found);
    for (const [i, track] of this.tracks.entries()) {
      const event = events.find((_, k) => crossed[k]![i]);
      if (event === undefined) continue;
      if (!(width <= tolerance)) throw bracketError(await this.#standing(i), event, width, tolerance);
      this.#step(i, at[i]!, records, 0);
      // those of the search, one for the end of the step, and one to the event
      track.located += iterations + 2;
      for (const k of events.keys()) {
        if (!happened[k]![i]) continue;
        if (onEvent?.(i, k, at[i]!, this.#rowOf(y, i), track.times.length - 1)) this.#ended[i] = true;
      }
      if (this.#ended[i]) this.#targets[i] = at[i]!;
    }
    const replaced = this.#carried.filter((name) => nextName(name) in found);
    this.#values = {
      ...this.#values,
      ...Object.fromEntries(replaced.map((name) => [name, found[nextName(name)]!])),
    };
  }

  async #failure({ accepted, norm }: LastAttempt): Promise<Error> {
    const { method } = this.#setting;
    const i = this.tracks.findIndex((_, track) => this.#isUnderWay(track) && !accepted[track]);
    const standing = await this.#standing(i);
    if (norm === null) {
      const h = (await this.#read(this.#values, names.h))[i]!;
      const left = this.#targets[i]! - standing.time;
      const time = Math.abs(h) < Math.abs(left) ? standing.time + h : this.#targets[i]!;
      return new DivergenceError({ ...standing, time }, method.coupling);
    }
    if (!Number.isFinite(norm[i]!)) return new NonFiniteFieldError(standing);
    if (norm[i]! < 1) return partingError(method, standing);
    return new StepUnderflowError(standing, this.#smallest);
  }

  async #standing(track: number): Promise<Standing> {
    const { control, sharing } = this.#setting;
    const { times, rejected } = this.tracks[track]!;
    const y = await this.#read(this.#values, stateName(0));
    const h = (await this.#read(this.#values, names.h))[track]!;
    return {
      time: times.at(-1)!,
      step: times.length,
      stepSize: control.kind === "constant" ? control.stepSize : Math.abs(h),
      yNorm: rootMeanSquare(this.#rowOf(y, track)),
      accepted: times.length - 1,
      rejected,
      sample: sharing === "sample" ? track : null,
    };
  }

  #timeOf(track: number): number {
    return this.tracks[track]!.times.at(-1)!;
  }

  #isUnderWay(track: number): boolean {
    return this.#timeOf(track) !== this.#targets[track];
  }

  /** The part of a track, out of the data of an array of states, or of one of several. */
  #rowOf(data: Row, track: number, element = 0): Row {
    const count = this.#course.t0.length;
    const own = sizeOf(this.#setting.state) / count;
    const from = (element * count + track) * own;
    return data.slice(from, from + own);
  }

  #upload(values: readonly number[]): DeviceTensor {
    return this.#runtime.upload(tensor(this.#setting.dtype, timeShape(this.#setting), values));
  }

  async #read(from: DeviceTensors, name: string): Promise<Row> {
    return (await this.#runtime.download(from[name]!)).data as Row;
  }

  #readAll(from: DeviceTensors, events: readonly Event[], name: (k: number) => string): Promise<Row[]> {
    return Promise.all(events.map((_, k) => this.#read(from, name(k))));
  }

  async #records(from: DeviceTensors): Promise<Row[]> {
    const records: Row[] = [];
    for (let k = 0; recordName(k) in from; k++) records.push(await this.#read(from, recordName(k)));
    return records;
  }
}

/** The last attempt of each track. */
interface LastAttempt {
  readonly accepted: Row;
  readonly norm: Row | null;
}

export interface Programs {
  readonly begin: Executable;
  readonly go: Executable;
  /** where there are events */
  readonly locate: Executable | null;
}

/** Coefficients of a step, for what is recorded: those of a dense output of order 4, and some. */
const usualCoefficients = 6;

const epsilon: { readonly [dtype in FloatDType]: number } = { float32: 2 ** -23, float64: 2 ** -52 };

/** The inputs that an executable takes, out of those there are. */
function pick(given: DeviceTensors, { inputs }: Executable): DeviceTensors {
  return Object.fromEntries(Object.keys(inputs).map((name) => [name, given[name]!]));
}
