import { ControlError } from "../control/control.js";
import { type FloatDType, numbers, scalar, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import type { Event } from "../events/event.js";
import type { Method } from "../methods/method.js";
import {
  type AdaptiveSetting,
  adaptiveProgram,
  carriesSlope,
  startProgram,
  timeShape,
} from "../programs/adaptive.js";
import { locateProgram } from "../programs/locate.js";
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
import type { DeviceTensor, DeviceTensors, Executable, Runtime } from "../runtime/runtime.js";
import type { Row } from "./dense-solution.js";
import {
  DivergenceError,
  DriftError,
  EventBracketError,
  MaxStepsError,
  NonFiniteFieldError,
  SolveAbortedError,
  type Standing,
  StepUnderflowError,
} from "./failures.js";

/** How one trajectory (or a batch that shares its steps) has come along. */
export interface Track {
  /** its accepted steps: the first time, and the end of each step */
  readonly times: number[];
  rejected: number;
  /** how many of those only because its two solutions parted */
  parted: number;
  /** steps taken in search of events */
  located: number;
  /** the largest distance of companion and y so far, as root mean square */
  drift: number;
  /** the largest y so far, as root mean square */
  size: number;
}

/** What happens on the way of a solve. */
export interface Course {
  /** initial time of each track */
  readonly t0: readonly number[];
  /** times that each track must hit, monotone, the last of them its end; all tracks have as many */
  readonly stops: readonly (readonly number[])[];
  /** whether the state at a stop is wanted */
  readonly wanted: (stop: number) => boolean;
  /** Receives the state at a stop that is wanted, and how many steps lie before it. */
  readonly onStop: (track: number, stop: number, y: Row, steps: number) => void;
  /** Receives what was recorded of each accepted step. */
  readonly onStep: (track: number, from: number, to: number, rows: readonly Row[]) => void;
  /** Receives an event, and the state at it; says whether the track ends there. */
  readonly onEvent?: (track: number, event: number, time: number, y: Row, steps: number) => boolean;
  /** how closely the times of events are wanted; rounding by default */
  readonly eventTolerance?: number | undefined;
  /** attempted steps per track */
  readonly maxSteps: number;
  readonly signal?: AbortSignal | undefined;
}

/** A compiled solve that chooses its own steps. */
export interface Driver {
  readonly setting: AdaptiveSetting;
  /**
   * Goes from y0 to the last stop.
   *
   * @throws {SolveError} if it does not get there
   */
  readonly drive: (parameters: DeviceTensors, y0: Tensor, course: Course) => Promise<Drive>;
  readonly release: () => Promise<void>;
}

export interface Drive {
  readonly tracks: readonly Track[];
  /** the state at the end, on the device */
  readonly end: readonly DeviceTensor[];
  /** evaluations of the field by each track */
  readonly evaluations: readonly number[];
}

/** Attempts per run: enough that the run itself costs little, few enough to listen to signals. */
const attemptsPerRun = 256;
/** What may be recorded per run, in bytes. */
const recordLimit = 1 << 25;

/** @throws {ControlError} for a method that cannot say what its error is */
export async function compileDriver(runtime: Runtime, setting: AdaptiveSetting): Promise<Driver> {
  const { method, control, events = [] } = setting;
  if (control.kind === "pid" && method.error === undefined) {
    throw new ControlError(
      `The method "${method.name}" has no error estimate, so it cannot choose its steps. ` +
        "Use a method with an embedded one (bosh3, dopri5, tsit5, dopri8), or constant steps.",
    );
  }
  const start = startProgram(setting);
  const advance = adaptiveProgram(setting);
  const begin = await runtime.compile(start.graph);
  const go = await runtime.compile(advance.graph);
  const locating = events.length === 0 ? null : locateProgram(setting);
  const locate = locating === null ? null : await runtime.compile(locating.graph);
  return {
    setting,
    async drive(parameters, y0, course) {
      const tracks = await follow(runtime, setting, { begin, go, locate }, parameters, y0, course);
      return {
        ...tracks,
        evaluations: tracks.tracks.map(
          ({ times, rejected, located }) =>
            start.evaluations +
            (times.length - 1 + rejected) * advance.evaluations +
            located * (locating?.evaluations ?? 0),
        ),
      };
    },
    async release() {
      await begin.release();
      await go.release();
      await locate?.release();
    },
  };
}

async function follow(
  runtime: Runtime,
  setting: AdaptiveSetting,
  { begin, go, locate }: { begin: Executable; go: Executable; locate: Executable | null },
  parameters: DeviceTensors,
  y0: Tensor,
  course: Course,
): Promise<{ tracks: Track[]; end: DeviceTensor[] }> {
  const { method, control, dtype, state, record, sharing, events = [] } = setting;
  const { t0, stops, maxSteps } = course;
  const count = stops[0]!.length;
  const shape = timeShape(setting);
  const onDevice = (values: readonly number[]) => runtime.upload(tensor(dtype, shape, values));
  const own = sizeOf(state) / t0.length;
  const rowOf = (data: Row, track: number, element = 0) => {
    const from = element * own * t0.length + track * own;
    return data.slice(from, from + own);
  };

  const first = numbers(y0);
  const tracks: Track[] = t0.map((time, i) => ({
    times: [time],
    rejected: 0,
    parted: 0,
    located: 0,
    drift: 0,
    size: rootMeanSquare(first.slice(i * own, (i + 1) * own)),
  }));
  const ends = stops.map((own) => own.at(-1)!);
  const smallest = Math.max(
    control.kind === "pid" ? control.dtmin : 0,
    4 * epsilon[dtype] * Math.max(...t0.map(Math.abs), ...ends.map(Math.abs)),
  );
  const fixed = { ...parameters, [names.smallest]: runtime.upload(scalar(dtype, smallest)) };

  const carried = [
    ...Array.from({ length: method.width }, (_, k) => stateName(k)),
    ...(carriesSlope(setting) ? [names.slope] : []),
    ...[names.t, names.h],
    ...(control.kind === "pid" ? [names.last, names.beforeLast, names.rejected] : []),
    ...events.map((_, k) => signalName(k)),
  ];
  const ended = tracks.map(() => false);
  let values: DeviceTensors = {
    ...(await begin.run(
      pick(
        {
          ...parameters,
          [y0Name]: runtime.upload(y0),
          [names.t]: onDevice(t0),
          [names.target]: onDevice(ends),
        },
        begin,
      ),
    )),
    [names.t]: onDevice(t0),
    [names.last]: onDevice(t0.map(() => 1)),
    [names.beforeLast]: onDevice(t0.map(() => 1)),
    [names.rejected]: runtime.upload(
      tensor(
        "bool",
        shape,
        t0.map(() => false),
      ),
    ),
  };

  const attemptsOf = ({ times, rejected }: Track) => times.length - 1 + rejected;
  const bytes = sizeOf(state) * (dtype === "float64" ? 8 : 4) * (record === "dense" ? 6 : 1);
  const chunk =
    record === "nothing"
      ? attemptsPerRun
      : Math.max(1, Math.min(attemptsPerRun, Math.floor(recordLimit / bytes)));

  const standing = async (track: number, time?: number): Promise<Standing> => {
    const { times, rejected } = tracks[track]!;
    const y = (await runtime.download(values[stateName(0)]!)).data as Row;
    const h = numbers(await runtime.download(values[names.h]!))[track]!;
    return {
      time: time ?? times.at(-1)!,
      step: times.length,
      stepSize: control.kind === "constant" ? control.stepSize : Math.abs(h),
      yNorm: rootMeanSquare(rowOf(y, track)),
      accepted: times.length - 1,
      rejected,
      sample: sharing === "sample" ? track : null,
    };
  };

  const breath = breathing();
  // whether the values come from a run before, so that nobody else has them
  let ours = false;
  for (let stop = 0; stop < count; stop++) {
    // a track that has ended waits where it is
    const targets = stops.map((own, i) => (ended[i] ? tracks[i]!.times.at(-1)! : rounded(dtype, own[stop]!)));
    let target = onDevice(targets);
    const isUnderWay = (i: number) => tracks[i]!.times.at(-1)! !== targets[i]!;
    while (tracks.some((_, i) => isUnderWay(i))) {
      const under = tracks.findIndex((_, i) => isUnderWay(i));
      if (course.signal?.aborted) {
        throw new SolveAbortedError(tracks[under]!.times.at(-1)!, ends[under]!, course.signal.reason);
      }
      await breath(course.signal);
      const used = Math.max(...tracks.filter((_, i) => isUnderWay(i)).map(attemptsOf));
      if (used >= maxSteps) {
        const worst = tracks.findIndex((track, i) => isUnderWay(i) && attemptsOf(track) === used);
        throw new MaxStepsError(
          await standing(worst),
          maxSteps,
          ends[worst]!,
          tracks[worst]!.parted > 0 ? adviceAgainstDrift(method) : null,
        );
      }
      const attempts = Math.min(chunk, maxSteps - used);
      const results = await go.run(
        pick(
          {
            ...fixed,
            ...values,
            [names.target]: target,
            [names.attempts]: runtime.upload(scalar("int64", attempts)),
          },
          go,
        ),
      );
      const download = async (name: string) => (await runtime.download(results[name]!)).data as Row;
      const times = await download(names.times);
      const accepted = await download(names.accepted);
      const drift = method.companion === undefined ? null : await download(names.drift);
      const size = method.companion === undefined ? null : await download(names.size);
      const norm = control.kind === "pid" ? await download(names.norm) : null;
      const records: Row[] = [];
      for (let k = 0; recordName(k) in results; k++) records.push(await download(recordName(k)));
      const n = times.length / tracks.length;
      const crossed = await Promise.all(events.map((_, k) => download(crossedName(k))));
      const crosses = (i: number) => crossed.some((flags) => flags[i]);
      for (const [i, track] of tracks.entries()) {
        for (let k = 0; k < n && isUnderWay(i); k++) {
          const at = k * tracks.length + i;
          // a step in which something happens is taken again, up to there
          if (k === n - 1 && crosses(i)) continue;
          if (!accepted[at]) {
            track.rejected++;
            if (norm !== null && norm[at]! < 1) track.parted++;
            continue;
          }
          const from = track.times.at(-1)!;
          track.times.push(times[at]!);
          if (drift !== null) {
            track.drift = Math.max(track.drift, drift[at]!);
            track.size = Math.max(track.size, size![at]!);
          }
          if (record !== "nothing") {
            course.onStep(
              i,
              from,
              times[at]!,
              records.map((data) => rowOf(data, i, k)),
            );
          }
        }
      }
      const done = values;
      values = Object.fromEntries(carried.map((name) => [name, results[nextName(name)]!]));
      if (ours) for (const name of carried) runtime.dispose(done[name]!);
      ours = true;
      if (tracks.some((_, i) => crosses(i))) {
        const flags = Object.fromEntries(events.map((_, k) => [crossedName(k), results[crossedName(k)]!]));
        const tolerance = Math.max(course.eventTolerance ?? 0, smallest);
        const found = await locate!.run(
          pick(
            {
              ...{ ...fixed, ...values, ...flags, [locateNames.triedEnd]: results[locateNames.triedEnd]! },
              [locateNames.tolerance]: runtime.upload(scalar(dtype, tolerance)),
            },
            locate!,
          ),
        );
        const read = async (name: string) => (await runtime.download(found[name]!)).data as Row;
        const at = await read(nextName(names.t));
        const width = (await read(locateNames.width))[0]!;
        const iterations = Number((await read(locateNames.iterations))[0]!);
        const y = await read(nextName(stateName(0)));
        const happened = await Promise.all(events.map((_, k) => read(nextName(crossedName(k)))));
        const foundRecords: Row[] = [];
        for (let k = 0; recordName(k) in found; k++) foundRecords.push(await read(recordName(k)));
        for (const [i, track] of tracks.entries()) {
          if (!crosses(i)) continue;
          if (!(width <= tolerance) || !Number.isFinite(at[i]!)) {
            throw bracketError(await standing(i), events.find((_, k) => crossed[k]![i])!, width, tolerance);
          }
          const from = track.times.at(-1)!;
          track.times.push(at[i]!);
          // one for the end of the step, one for the step to the event
          track.located += iterations + 1;
          if (record !== "nothing") {
            course.onStep(
              i,
              from,
              at[i]!,
              foundRecords.map((data) => rowOf(data, i)),
            );
          }
          for (const k of events.keys()) {
            if (!happened[k]![i]) continue;
            if (course.onEvent?.(i, k, at[i]!, rowOf(y, i), track.times.length - 1)) ended[i] = true;
          }
          if (ended[i]) targets[i] = at[i]!;
        }
        target = onDevice(targets);
        values = {
          ...values,
          ...Object.fromEntries(
            carried.filter((name) => nextName(name) in found).map((name) => [name, found[nextName(name)]!]),
          ),
        };
      }
      if ((await download(names.failed))[0]) {
        const i = tracks.findIndex((_, i) => isUnderWay(i) && !accepted[(n - 1) * tracks.length + i]);
        const stands = await standing(i);
        if (norm === null) {
          const h = numbers(await runtime.download(values[names.h]!))[i]!;
          const next = stands.time + h;
          const reached =
            Math.abs(next - stands.time) > Math.abs(targets[i]! - stands.time) ? targets[i]! : next;
          throw new DivergenceError({ ...stands, time: reached }, method.coupling);
        }
        const last = norm[(n - 1) * tracks.length + i]!;
        if (!Number.isFinite(last)) throw new NonFiniteFieldError(stands);
        if (last < 1) throw partingError(setting, stands);
        throw new StepUnderflowError(stands, smallest);
      }
    }
    if (course.wanted(stop)) {
      const y = (await runtime.download(values[stateName(0)]!)).data as Row;
      for (const [i, { times }] of tracks.entries()) {
        if (!ended[i]) course.onStop(i, stop, rowOf(y, i), times.length - 1);
      }
    }
  }
  return {
    tracks,
    end: Array.from({ length: method.width }, (_, k) => values[stateName(k)]!),
  };
}

/** Lets timers and signals in now and then: runs of a runtime that does not wait for anything would keep them out. */
function breathing(): (signal: AbortSignal | undefined) => Promise<void> {
  let last = performance.now();
  return async (signal) => {
    if (signal === undefined || performance.now() - last < 50) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}

function bracketError(standing: Standing, { name = "event" }: Event, width: number, tolerance: number) {
  return new EventBracketError(
    `The ${name} after t = ${standing.time} could be bracketed only within ${width}, not ${tolerance}: its signal is ` +
      "not finite there, or jumps back and forth. Give a signal that is continuous in t and y, or allow a larger " +
      "eventTolerance.",
    standing,
  );
}

/** The error estimate is content, but the two solutions part however small the step. */
function partingError({ method }: AdaptiveSetting, standing: Standing): DriftError {
  return new DriftError(
    `The two solutions of the method "${method.name}" drift apart at t = ${standing.time}, however small the step ` +
      `(${standing.accepted} steps accepted, ${standing.rejected} rejected). ${adviceAgainstDrift(method)}`,
    standing,
  );
}

function adviceAgainstDrift({ coupling }: Method): string {
  return coupling === null || coupling === 1
    ? "The method does not damp, and the problem is dissipative: take a coupled method with λ below 1, or a plain one."
    : `A coupled method with λ = ${coupling} follows a part of the solution that decays as e^(−a t) only with steps ` +
        `below −ln λ / a = ${Number((-Math.log(coupling)).toPrecision(3))} / a: take a smaller λ (coupling "auto" chooses ` +
        "one), allow more steps with maxSteps, or take the plain method with another gradient.";
}

const epsilon: { readonly [dtype in FloatDType]: number } = { float32: 2 ** -23, float64: 2 ** -52 };

/** A time as the graph has it. */
export function rounded(dtype: FloatDType, t: number): number {
  return dtype === "float32" ? Math.fround(t) : t;
}

export function rootMeanSquare(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return Math.sqrt(sum / Math.max(1, values.length));
}

/** The inputs that an executable takes, out of those there are. */
function pick(given: DeviceTensors, { inputs }: Executable): DeviceTensors {
  return Object.fromEntries(Object.keys(inputs).map((name) => [name, given[name]!]));
}
