import { leastOf, type Pid } from "../control/control.js";
import { largestOf } from "../core/largest.js";
import { epsilon, leastNormal } from "../core/spacing.js";
import { sizeOf, type Tensor, tensor } from "../core/tensor.js";
import { type Like, mapLeaves } from "../core/tree.js";
import type {
  AdaptiveConstants,
  AdaptiveResults,
  AdaptiveStart,
  AttemptReport,
  Met,
} from "../programs/adaptive.js";
import { type AdaptiveSetting, timeShape } from "../programs/adaptive-setting.js";
import type { Carry } from "../programs/carry.js";
import { countsFromStart } from "../programs/clock.js";
import { disposeTree, downloadTree } from "../runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import { yieldToEventLoop } from "../runtime/yielding.js";
import { type Counting, countingFrom } from "./counting.js";
import type { Row } from "./dense-solution.js";
import { MaxStepsError, SolveAbortedError, type SolvePosition } from "./failures.js";
import { adviceAgainstDrift, bracketError, failureOf } from "./stepper-failures.js";
import type { StepperPrograms } from "./stepper-programs.js";
import { rootMeanSquare, type StepperRequest, type Track } from "./stepper-request.js";

/** Attempts per run: enough that the run itself costs little. */
const attemptsPerRun = 1024;
/** Attempts per run of a solve that has a signal to listen to. */
const attemptsBetweenSignals = 256;
/** What may be recorded per run, in bytes. */
const recordLimit = 1 << 25;

/** A solve that chooses its steps, on its way: it runs programs of many attempts each until all tracks are at their ends. */
export class AdaptiveStepper {
  readonly tracks: readonly Track[];
  readonly #runtime: Runtime;
  readonly #setting: AdaptiveSetting;
  readonly #programs: StepperPrograms;
  readonly #request: StepperRequest;
  /** what does not change from run to run, and what only the first one takes */
  readonly #constants: AdaptiveConstants<DeviceTensor>;
  readonly #start: AdaptiveStart<DeviceTensor>;
  readonly #countings: readonly Counting[];
  /** the times at which tracks end */
  readonly #ends: readonly number[];
  /** how closely the time of an event can be known */
  readonly #rounding: number;
  readonly #yield = yieldToEventLoop();
  readonly #y0: Row;
  /** what the last run has handed on; `null` before the first */
  #carry: Carry<DeviceTensor> | null = null;
  /** the stop that is gone to, and for each track, its count */
  #stop = 0;
  #targets: number[] = [];
  /** for each track, whether an event has ended it */
  readonly #ended: boolean[];

  constructor(
    runtime: Runtime,
    setting: AdaptiveSetting,
    programs: StepperPrograms,
    parameters: Readonly<Record<string, DeviceTensor>>,
    y0: Tensor,
    request: StepperRequest,
  ) {
    const { control, dtype } = setting;
    this.#runtime = runtime;
    this.#setting = setting;
    this.#programs = programs;
    this.#request = request;
    const { t0, stops } = request;
    this.#y0 = y0.data as Row;
    this.#countings = t0.map((time) => countingFrom(dtype, time));
    this.tracks = t0.map((time, i) => ({
      times: [this.#countings[i]!.timeOf(this.#countings[i]!.of(time))],
      count: this.#countings[i]!.of(time),
      ...{ rejected: 0, parted: 0, located: 0, drift: 0 },
      size: rootMeanSquare(this.#rowOf(this.#y0, i)),
    }));
    this.#ended = t0.map(() => false);
    const [starts, ends] = [this.tracks.map(({ count }) => count), stops.map((own) => own.at(-1)!)];
    this.#ends = ends.map((count, i) => this.#countings[i]!.timeOf(count));
    this.#rounding = 4 * epsilon[dtype] * largestOf([...starts, ...ends].map(Math.abs));
    this.#constants = {
      parameters,
      origin: countsFromStart(dtype) ? this.#upload(t0) : null,
      smallest: programs.numbers.of("smallest", dtype, leastOf(control, dtype)),
      tolerances: control.kind === "pid" ? this.#tolerances(request.tolerances ?? control) : null,
    };
    this.#start = { y0: runtime.upload(y0), t: this.#upload(starts), end: this.#upload(ends) };
  }

  #tolerances({ rtol, atol }: Pick<Pid, "rtol" | "atol">) {
    const { numbers } = this.#programs;
    const { dtype } = this.#setting;
    return {
      rtol: numbers.of("rtol", dtype, rtol),
      // a component that stays 0 may be held against 0, which must not be divided by
      atol: numbers.of("atol", dtype, Math.max(atol, leastNormal[dtype])),
    };
  }

  /** From y0 to the last stop; the state there. */
  async through(): Promise<readonly DeviceTensor[]> {
    const { stops, wanted } = this.#request;
    this.#aim();
    while (this.#stop < stops[0]!.length) {
      if (this.tracks.some((_, i) => this.#isUnderWay(i))) await this.#advance();
      else this.#arrive(wanted(this.#stop) ? await this.#state() : null, 0);
    }
    const { state } = this.#carry ?? (await this.#run(0)).next;
    return state;
  }

  /** Where each track goes next; one that has ended waits where it is. */
  #aim(): void {
    this.#targets = this.#request.stops.map((own, i) => this.#targetOf(own, i, this.#stop));
  }

  #targetOf(own: readonly number[], track: number, stop: number): number {
    return this.#ended[track] ? this.tracks[track]!.count : own[stop]!;
  }

  /** All tracks are at the stop. @param y  states there, the element of an array of them; `null` if not wanted */
  #arrive(y: Row | null, element: number): void {
    const { stops, onStop } = this.#request;
    if (y !== null) {
      for (const [i, { times }] of this.tracks.entries()) {
        if (!this.#ended[i]) onStop(i, this.#stop, this.#rowOf(y, i, element), times.length - 1);
      }
    }
    this.#stop++;
    if (this.#stop < stops[0]!.length) this.#aim();
  }

  /** y as it stands. */
  async #state(): Promise<Row> {
    return this.#carry === null ? this.#y0 : this.#read(this.#carry.state[0]);
  }

  /** One run: many attempts, or up to the last of its targets, or to an event. */
  async #advance(): Promise<void> {
    const results = await this.#run(await this.#attemptsLeft());
    const { next, met } = results;
    const report = await this.#rowsOf(results.report);
    const crossed = met === null ? [] : await this.#rowsOf(met.crossed);
    const crosses = (i: number) => crossed.some((flags) => flags[i]);
    const moved = this.#digest(report, crosses);
    if (this.#carry !== null) disposeTree(this.#runtime, this.#carry);
    this.#carry = next;
    if (met !== null && this.tracks.some((_, i) => crosses(i))) await this.#meet(next, met, crossed);
    if (report.failed[0]) throw await this.#failure(moved, report.lastNorm);
  }

  /** Runs the program that comes next. */
  async #run(tries: number): Promise<AdaptiveResults<DeviceTensor>> {
    const { chained = false } = this.#setting;
    const { stops } = this.#request;
    const rows = [this.#targets];
    // each of them takes an attempt at least
    const last = chained ? Math.min(stops[0]!.length, this.#stop + tries) : this.#stop + 1;
    for (let stop = this.#stop + 1; stop < last; stop++) {
      rows.push(stops.map((own, i) => this.#targetOf(own, i, stop)));
    }
    const targets = this.#upload(rows.flat(), [rows.length]);
    const attempts = this.#programs.numbers.of("attempts", "int64", tries);
    const { launch, go } = this.#programs;
    return this.#carry === null
      ? launch.run({ constants: this.#constants, start: this.#start, limits: { targets, attempts } })
      : (await go()).run({ constants: this.#constants, carry: this.#carry, limits: { targets, attempts } });
  }

  /** How many steps the next run may try. @throws {SolveError | SolveAbortedError} if it may not */
  async #attemptsLeft(): Promise<number> {
    const { signal, maxSteps } = this.#request;
    const { record, state, dtype, method, chained } = this.#setting;
    await this.#yield(signal);
    const attemptsOf = (i: number) => this.tracks[i]!.times.length - 1 + this.tracks[i]!.rejected;
    const underWay = [...this.tracks.keys()].filter((i) => this.#isUnderWay(i));
    const most = underWay.reduce((i, j) => (attemptsOf(j) > attemptsOf(i) ? j : i));
    if (signal?.aborted) throw new SolveAbortedError(this.#timeOf(most), this.#ends[most]!, signal.reason);
    const used = attemptsOf(most);
    if (used >= maxSteps) {
      const advice = this.tracks[most]!.parted > 0 ? adviceAgainstDrift(method) : null;
      throw new MaxStepsError(await this.#position(most), maxSteps, this.#ends[most]!, advice);
    }
    const arrays = record === "dense" ? usualCoefficients : record === "states" || chained ? 1 : 0;
    const bytes = arrays * sizeOf(state) * (dtype === "float64" ? 8 : 4);
    return Math.min(
      maxSteps - used,
      signal === undefined ? attemptsPerRun : attemptsBetweenSignals,
      Math.max(1, Math.floor(recordLimit / bytes)),
    );
  }

  /** Takes down what a run has tried. Says of each track whether the last attempt took it further. */
  #digest(
    { times, drift, size, norm, states, records }: AttemptReport<Row>,
    crosses: (track: number) => boolean,
  ): boolean[] {
    const { stops, wanted } = this.#request;
    const { chained = false } = this.#setting;
    const count = this.tracks.length;
    const n = times.length / count;
    const moved = this.tracks.map(() => false);
    for (let k = 0; k < n; k++) {
      for (let i = 0; i < count; i++) {
        const track = this.tracks[i]!;
        const from = track.count;
        moved[i] = false;
        if (from === this.#targets[i]) continue;
        const at = k * count + i;
        // a step in which something happens is taken again, up to there
        if (k === n - 1 && crosses(i)) continue;
        // who was not let through stays at the same time
        if (times[at] !== from) {
          moved[i] = true;
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
      while (chained && this.#stop < stops[0]!.length && !this.tracks.some((_, i) => this.#isUnderWay(i))) {
        // where there are records, nothing but those is wanted
        this.#arrive(wanted(this.#stop) ? states! : null, k);
      }
    }
    return moved;
  }

  #step(track: number, to: number, records: readonly Row[], element: number): void {
    const own = this.tracks[track]!;
    const from = own.count;
    own.times.push(this.#countings[track]!.timeOf(to));
    own.count = to;
    if (records.length > 0) this.#request.onStep(track, from, to, this.#recordOf(records, track, element));
  }

  // a closure of its own: in #step it would cost every step of every solve
  #recordOf(records: readonly Row[], track: number, element: number): Row[] {
    return records.map((data) => this.#rowOf(data, track, element));
  }

  /** Takes the steps in which events happen up to the first of them. */
  async #meet(carry: Carry<DeviceTensor>, met: Met<DeviceTensor>, crossed: readonly Row[]): Promise<void> {
    const { events = [], dtype } = this.#setting;
    const { eventTolerance = 0, onEvent } = this.#request;
    const tolerance = Math.max(eventTolerance, this.#rounding);
    const found = await this.#programs.locate!.run({
      constants: this.#constants,
      carry,
      met,
      tolerance: this.#programs.numbers.of("tolerance", dtype, tolerance),
    });
    const { next } = found;
    const report = await this.#rowsOf(found.report);
    const [at, y] = [await this.#read(next.t), await this.#read(next.state[0])];
    const [width, iterations] = [report.width[0]!, Number(report.iterations[0]!)];
    for (const [i, track] of this.tracks.entries()) {
      const event = events.find((_, k) => crossed[k]![i]);
      if (event === undefined) continue;
      if (!(width <= tolerance)) throw bracketError(await this.#position(i), event, width, tolerance);
      this.#step(i, at[i]!, report.records, 0);
      // those of the search, one for the end of the step, and one to the event
      track.located += iterations + 2;
      for (const k of events.keys()) {
        if (!report.crossed[k]![i]) continue;
        if (onEvent?.(i, k, at[i]!, this.#rowOf(y, i), track.times.length - 1)) this.#ended[i] = true;
      }
      if (this.#ended[i]) this.#targets[i] = at[i]!;
    }
    this.#carry = { ...carry, ...next };
  }

  async #failure(moved: readonly boolean[], norm: Row | null): Promise<Error> {
    const track = this.tracks.findIndex((_, i) => this.#isUnderWay(i) && !moved[i]);
    return failureOf(this.#runtime, this.#setting, {
      ...{ track, position: await this.#position(track), count: this.tracks[track]!.count },
      target: this.#countings[track]!.timeOf(this.#targets[track]!),
      h: await this.#stepSizeOf(track),
      norm: norm === null ? null : norm[track]!,
      times: this.tracks.map(({ times }) => times.at(-1)!),
      y: await this.#state(),
      parameters: this.#constants.parameters,
    });
  }

  async #position(track: number): Promise<SolvePosition> {
    const { control, sharing } = this.#setting;
    const { times, rejected } = this.tracks[track]!;
    const y = await this.#state();
    const h = await this.#stepSizeOf(track);
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

  /** The size of the step that comes next, signed; 0 before the first run. */
  async #stepSizeOf(track: number): Promise<number> {
    return this.#carry === null ? 0 : (await this.#read(this.#carry.h))[track]!;
  }

  #timeOf(track: number): number {
    return this.tracks[track]!.times.at(-1)!;
  }

  #isUnderWay(track: number): boolean {
    return this.tracks[track]!.count !== this.#targets[track];
  }

  /** The part of a track, out of the data of an array of states, or of one of several. */
  #rowOf(data: Row, track: number, element = 0): Row {
    const count = this.#request.t0.length;
    const own = sizeOf(this.#setting.state) / count;
    const from = (element * count + track) * own;
    return data.slice(from, from + own);
  }

  #upload(values: readonly number[], leading: readonly number[] = []): DeviceTensor {
    const { dtype } = this.#setting;
    return this.#runtime.upload(tensor(dtype, [...leading, ...timeShape(this.#setting)], values));
  }

  /** The numbers of a tensor. They may be the tensor itself, and must not be written to. */
  async #read(value: DeviceTensor): Promise<Row> {
    const { host } = this.#runtime;
    return (host ? host.read(value) : await this.#runtime.download(value)).data as Row;
  }

  /** Likewise of a tree of tensors. */
  async #rowsOf<T>(tree: T): Promise<Like<T, Row>> {
    const { host } = this.#runtime;
    if (host !== undefined) return mapLeaves(tree, (leaf) => host.read(leaf as DeviceTensor).data as Row);
    const there = await downloadTree(this.#runtime, tree);
    return mapLeaves(there, (leaf) => (leaf as Tensor).data as Row) as Like<T, Row>;
  }
}

/** Coefficients of a step, for what is recorded: those of a dense output of order 4, and some. */
const usualCoefficients = 6;
