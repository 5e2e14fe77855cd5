import { type FloatDType, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import { type Event, endsAfter } from "../events/event.js";
import type { Record } from "../programs/adaptive-setting.js";
import { checkTimes, type Grid, TimeError } from "../programs/grid.js";
import { type Course, rounded, type Track } from "./course.js";
import { DenseSolution, polynomialAt, type Row, stepAt } from "./dense-solution.js";
import type { Happening, Placement, Solution } from "./solution.js";

/**
 * What is saved: the given times, each hit by a step; the same, interpolated inside of steps; the initial state and
 * every step, or every n-th and the last; or all that is needed to evaluate the solution anywhere.
 */
export type Save = "hit" | "interpolated" | "every-step" | { readonly every: number } | "dense";

/** The times of one trajectory. */
export interface Span {
  readonly t0: number;
  /** times to save at; for "every-step", `every` and "dense" only the last one counts, as the end */
  readonly saveAt: readonly number[];
  /** times around which the field jumps: no step goes across one */
  readonly jumps: readonly number[];
  /** further times to hit */
  readonly hits?: readonly number[];
}

/** What a solve has to hit and to record, and what becomes of it. */
export interface Plan
  extends Required<Pick<Course, "t0" | "stops" | "wanted" | "onStop" | "onStep" | "onEvent">> {
  readonly record: Record;
  readonly solutions: (
    tracks: readonly Track[],
  ) => Pick<Solution, "ts" | "ys" | "grid" | "placement" | "dense" | "events">[];
}

/** What has been saved of one trajectory. */
interface Saved {
  readonly ts: number[];
  readonly rows: Row[];
  readonly offsets: number[];
  readonly placement: Placement[];
  readonly coefficients: (readonly Row[])[];
  readonly events: Happening[];
  /** whether an event ended it */
  ended: boolean;
  /** steps so far */
  steps: number;
}

/**
 * @param state  shape of the state of one track
 * @param y0  of each track
 * @throws {TimeError} for times out of order
 */
export function planSaves(
  save: Save,
  spans: readonly Span[],
  y0: readonly Row[],
  state: readonly number[],
  dtype: FloatDType,
  events: readonly Event[] = [],
): Plan {
  const limits = events.map(endsAfter);
  for (const { t0, saveAt } of spans) checkTimes(t0, saveAt);
  const every = typeof save === "object" ? save.every : save === "every-step" ? 1 : null;
  if (every !== null && !(Number.isInteger(every) && every > 0)) {
    throw new TimeError(`Every n-th step can be saved for n = 1, 2, …, but ${every} was given.`);
  }
  const hits = save === "hit";
  const routes = spans.map((span) => routeOf(span, hits, dtype));
  const longest = Math.max(...routes.map(({ stops }) => stops.length));
  const saved = spans.map(({ t0, saveAt }, i): Saved => {
    const atStart = save === "dense" ? false : every !== null || saveAt[0] === t0;
    return {
      ts: atStart ? [t0] : [],
      rows: atStart ? [y0[i]!] : [],
      offsets: atStart ? [0, 0] : [0],
      placement: atStart ? [{ step: 0, theta: 0 }] : [],
      coefficients: [],
      events: [],
      ended: false,
      steps: 0,
    };
  });
  const ends = spans.map(({ saveAt }) => rounded(dtype, saveAt.at(-1)!));
  const next = saved.map(({ ts }) => ts.length);

  return {
    t0: spans.map(({ t0 }) => t0),
    // those that are through sooner wait where they are
    stops: routes.map(({ stops }) => [...stops, ...new Array(longest - stops.length).fill(stops.at(-1)!)]),
    wanted: (stop) => hits && routes.some(({ saves }) => saves.has(stop)),
    record: hits ? "nothing" : every !== null ? "states" : "dense",
    onStop(track, stop, y, steps) {
      const time = routes[track]!.saves.get(stop);
      if (time === undefined) return;
      const own = saved[track]!;
      own.ts.push(time);
      own.rows.push(y);
      own.offsets.push(steps);
    },
    onStep(track, from, to, rows) {
      const own = saved[track]!;
      const { saveAt, t0 } = spans[track]!;
      own.steps++;
      if (every !== null) {
        if (own.steps % every !== 0 && to !== ends[track]) return;
        own.ts.push(to);
        own.rows.push(rows[0]!);
        own.offsets.push(own.steps);
      } else if (save === "dense") own.coefficients.push(rows);
      else if (save === "interpolated") {
        const direction = Math.sign(saveAt.at(-1)! - t0);
        for (let k = next[track]!; k < saveAt.length; k++) {
          const time = saveAt[k]!;
          if ((to - rounded(dtype, time)) * direction < 0) break;
          const theta = Math.min(1, Math.max(0, (time - from) / (to - from)));
          own.ts.push(time);
          own.rows.push(polynomialAt(rows, theta, rows[0]!.slice()));
          own.placement.push({ step: own.steps - 1, theta });
          next[track] = k + 1;
        }
      }
    },
    onEvent(track, event, time, y, steps) {
      const own = saved[track]!;
      own.events.push({ event, time, y: tensor(dtype, state, y), step: steps });
      const ends = own.events.filter((other) => other.event === event).length >= limits[event]!;
      if (!ends || own.ended) return ends;
      own.ended = true;
      // its end is saved, unless it is as the end of a step
      if (own.ts.at(-1) === time) return true;
      own.ts.push(time);
      own.rows.push(y);
      own.offsets.push(steps);
      own.placement.push({ step: steps - 1, theta: 1 });
      return true;
    },
    solutions: (tracks) =>
      tracks.map(({ times }, i) => {
        const own = saved[i]!;
        const onGrid = hits || every !== null;
        const grid: Grid = { times, offsets: onGrid ? own.offsets : [0, times.length - 1] };
        const dense = save === "dense" ? new DenseSolution(grid, own.coefficients, state, dtype) : null;
        if (dense !== null && !own.ended) {
          own.ts.push(...spans[i]!.saveAt);
          for (const time of spans[i]!.saveAt) {
            const at = rounded(dtype, time);
            own.rows.push(dense.times.length < 2 ? y0[i]! : (dense.at(at).data as Row));
            own.placement.push(placementIn(dense.times, at));
          }
        }
        return {
          ts: own.ts,
          ys: stacked(own.rows, state, dtype),
          grid,
          placement: onGrid ? null : own.placement,
          dense,
          events: own.events,
        };
      }),
  };
}

function placementIn(times: readonly number[], t: number): Placement {
  if (times.length < 2) return { step: 0, theta: 0 };
  const step = stepAt(times, t);
  return { step, theta: (t - times[step]!) / (times[step + 1]! - times[step]!) };
}

/** The times to hit on the way, and which of them are saved, by the time that was asked for. */
function routeOf({ t0, saveAt, jumps, hits = [] }: Span, savesHit: boolean, dtype: FloatDType) {
  const end = saveAt.at(-1)!;
  const direction = Math.sign(end - t0);
  const start = rounded(dtype, t0);
  const last = rounded(dtype, end);
  const within = (t: number) => (t - start) * direction > 0 && (last - t) * direction > 0;
  const marks = new Map<number, number | null>();
  // one step goes from just before a jump to just after it
  for (const jump of jumps) {
    for (const t of [neighbour(dtype, jump, -1), neighbour(dtype, jump, 1)])
      if (within(t)) marks.set(t, null);
  }
  for (const t of hits) if (within(rounded(dtype, t))) marks.set(rounded(dtype, t), null);
  for (const time of savesHit ? saveAt : [end]) marks.set(rounded(dtype, time), savesHit ? time : null);
  marks.delete(start);
  const ordered = [...marks];
  if (jumps.length > 0 || hits.length > 0) ordered.sort(([s], [t]) => (s - t) * direction);
  const stops: number[] = [];
  const saves = new Map<number, number>();
  for (const [stop, time] of ordered) {
    if (time !== null) saves.set(stops.length, time);
    stops.push(stop);
  }
  return { stops: stops.length === 0 ? [start] : stops, saves };
}

/** The number of a dtype next to x. */
function neighbour(dtype: FloatDType, x: number, direction: 1 | -1): number {
  const value = rounded(dtype, x);
  // a zero has neighbours so small that a step between them underflows
  if (value === 0) return direction * (dtype === "float32" ? 2 ** -126 : 2 ** -1022);
  const towards = value > 0 ? direction : -direction;
  if (dtype === "float32") {
    const bits = new Int32Array(Float32Array.of(value).buffer);
    bits[0]! += towards;
    return new Float32Array(bits.buffer)[0]!;
  }
  const bits = new BigInt64Array(Float64Array.of(value).buffer);
  bits[0]! += BigInt(towards);
  return new Float64Array(bits.buffer)[0]!;
}

function stacked(rows: readonly Row[], state: readonly number[], dtype: FloatDType): Tensor {
  const size = sizeOf(state);
  const all = tensor(dtype, [rows.length, ...state], new Array(rows.length * size).fill(0));
  for (const [i, row] of rows.entries()) (all.data as Row).set(row, i * size);
  return all;
}
