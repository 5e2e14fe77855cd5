import { largestOf } from "../core/largest.js";
import { neighbour, rounded, spacingAt } from "../core/spacing.js";
import { emptyData, type FloatDType, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import { type Event, endsAfter } from "../events/event.js";
import type { Record } from "../programs/adaptive-setting.js";
import { type Grid, TimeError } from "../programs/grid.js";
import { type Counting, countingFrom, type Stop, stopsFor } from "./counting.js";
import { DenseSolution, polynomialAt, type Row, stepAt } from "./dense-solution.js";
import type { Happening, Placement, Solution } from "./solution.js";
import type { StepperRequest, Track } from "./stepper-request.js";

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
export interface SavePlan
  extends Required<Pick<StepperRequest, "t0" | "stops" | "wanted" | "onStop" | "onStep" | "onEvent">> {
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
 * @throws {TimeError} for a number of steps that makes no sense
 */
export function planSaves(
  save: Save,
  spans: readonly Span[],
  y0: readonly Row[],
  state: readonly number[],
  dtype: FloatDType,
  events: readonly Event[] = [],
): SavePlan {
  const limits = events.map(endsAfter);
  const every = typeof save === "object" ? save.every : save === "every-step" ? 1 : null;
  if (every !== null && !(Number.isInteger(every) && every > 0)) {
    throw new TimeError(`Every n-th step can be saved for n = 1, 2, …, but ${every} was given.`);
  }
  const hits = save === "hit";
  const countings = spans.map(({ t0 }) => countingFrom(dtype, t0));
  const routes = spans.map((span, i) => routeOf(span, hits, dtype, countings[i]!));
  const longest = largestOf([1, ...routes.map(({ stops }) => stops.length)]);
  const saved = spans.map(({ t0, saveAt }, i): Saved => {
    const own = routes[i]!.atStart.map((index) => saveAt[index]!);
    const ts = save === "dense" ? [] : every !== null ? [t0] : own;
    return {
      ts,
      rows: ts.map(() => y0[i]!),
      offsets: [0, ...ts.map(() => 0)],
      placement: ts.map(() => ({ step: 0, theta: 0 })),
      coefficients: [],
      events: [],
      ended: false,
      steps: 0,
    };
  });
  const ends = spans.map(({ saveAt }, i) => countings[i]!.of(saveAt.at(-1)!));
  const next = saved.map(({ ts }) => ts.length);

  return {
    t0: spans.map(({ t0 }) => t0),
    // those that are through sooner wait where they are
    stops: routes.map(({ stops }, i) => {
      const counts = stops.map(({ count }) => count);
      while (counts.length < longest) counts.push(ends[i]!);
      return counts;
    }),
    wanted: (stop) => hits && routes.some(({ stops }) => (stops[stop]?.saves.length ?? 0) > 0),
    record: hits ? "nothing" : every !== null ? "states" : "dense",
    onStop(track, stop, y, steps) {
      const own = saved[track]!;
      for (const index of routes[track]!.stops[stop]?.saves ?? nothing) {
        own.ts.push(spans[track]!.saveAt[index]!);
        own.rows.push(y);
        own.offsets.push(steps);
      }
    },
    onStep(track, from, to, rows) {
      const own = saved[track]!;
      const { saveAt, t0 } = spans[track]!;
      own.steps++;
      if (every !== null) {
        if (own.steps % every !== 0 && to !== ends[track]) return;
        own.ts.push(countings[track]!.timeOf(to));
        own.rows.push(rows[0]!);
        own.offsets.push(own.steps);
      } else if (save === "dense") own.coefficients.push(rows);
      else if (save === "interpolated") {
        const counting = countings[track]!;
        const direction = Math.sign(saveAt.at(-1)! - t0);
        for (let k = next[track]!; k < saveAt.length; k++) {
          const time = saveAt[k]!;
          if ((to - counting.of(time)) * direction < 0) break;
          const theta = Math.min(1, Math.max(0, (time - counting.origin - from) / (to - from)));
          own.ts.push(time);
          own.rows.push(polynomialAt(rows, theta, rows[0]!.slice()));
          own.placement.push({ step: own.steps - 1, theta });
          next[track] = k + 1;
        }
      }
    },
    onEvent(track, event, count, y, steps) {
      const own = saved[track]!;
      const time = countings[track]!.timeOf(count);
      own.events.push({ event, time, y: tensor(dtype, state, y), step: steps });
      const ends = own.events.filter((other) => other.event === event).length >= limits[event]!;
      if (!ends || own.ended) return ends;
      own.ended = true;
      // its end is saved, unless it is as the end of a step
      const last = own.ts.at(-1);
      if (last !== undefined && countings[track]!.of(last) === count) return true;
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
        if (dense !== null) saveFrom(dense, own, spans[i]!, countings[i]!, y0[i]!);
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

/** Saves what lies within a solution: all that was asked for, or, where an event ended it, that before it. */
function saveFrom(dense: DenseSolution, own: Saved, { t0, saveAt }: Span, counting: Counting, y0: Row): void {
  const { times } = dense;
  const direction = Math.sign(saveAt.at(-1)! - t0);
  const end = own.ended ? ([own.ts.pop()!, own.rows.pop()!, own.placement.pop()!] as const) : null;
  for (const time of saveAt) {
    const at = counting.timeOf(counting.of(time));
    if (end !== null && (end[0] - at) * direction <= 0) break;
    own.ts.push(time);
    own.rows.push(times.length < 2 ? y0 : (dense.at(at).data as Row));
    own.placement.push(placementIn(times, at));
  }
  if (end === null) return;
  own.ts.push(end[0]);
  own.rows.push(end[1]);
  own.placement.push(end[2]);
}

function placementIn(times: readonly number[], t: number): Placement {
  if (times.length < 2) return { step: 0, theta: 0 };
  const step = stepAt(times, t);
  return { step, theta: (t - times[step]!) / (times[step + 1]! - times[step]!) };
}

/** What a trajectory has to hit on the way, and which of the times that were asked for are saved there, by index. */
interface Route {
  readonly atStart: readonly number[];
  readonly stops: readonly Stop[];
}

function routeOf(span: Span, savesHit: boolean, dtype: FloatDType, counting: Counting): Route {
  const { t0, saveAt, jumps, hits = [] } = span;
  const { atStart, stops } = stopsFor(counting, t0, saveAt);
  const [start, last] = [counting.of(t0), counting.of(saveAt.at(-1)!)];
  const hit = savesHit ? stops : last === start ? [] : [{ count: last, saves: nothing }];
  if (jumps.length === 0 && hits.length === 0) return { atStart, stops: hit };
  const direction = Math.sign(last - start);
  const within = (count: number) => (count - start) * direction > 0 && (last - count) * direction > 0;
  const marks = new Map<number, readonly number[]>();
  for (const count of [...jumps.flatMap((jump) => around(dtype, counting, jump)), ...hits.map(counting.of)]) {
    if (within(count)) marks.set(count, nothing);
  }
  for (const { count, saves } of hit) marks.set(count, saves);
  const ordered = [...marks].sort(([s], [t]) => (s - t) * direction);
  return { atStart, stops: ordered.map(([count, saves]) => ({ count, saves })) };
}

const nothing: readonly number[] = [];

/** The counts just before a jump and just after it: one step goes from one to the other. */
function around(dtype: FloatDType, { origin, of }: Counting, jump: number): number[] {
  const count = of(jump);
  return ([-1, 1] as const).map((side) => {
    const next = neighbour(dtype, count, side);
    // the field is told the sum of origin and count, which must not be rounded to the jump either
    const apart = origin === 0 ? next : rounded(dtype, count + 2 * side * spacingAt(dtype, jump));
    return side * (apart - next) > 0 ? apart : next;
  });
}

function stacked(rows: readonly Row[], state: readonly number[], dtype: FloatDType): Tensor {
  const size = sizeOf(state);
  const all = emptyData(dtype, rows.length * size);
  for (const [i, row] of rows.entries()) all.set(row, i * size);
  return tensor(dtype, [rows.length, ...state], all);
}
