import { RevortError } from "../../core/errors.js";
import { shown } from "../../core/printable.js";
import { Random } from "../../core/random.js";
import type { Stretch } from "./samples.js";
import type { Series } from "./series-set.js";

/** A part of the data that cannot be set apart. */
export class SeriesSplitError extends RevortError {}

/** What is set apart: a share, trajectories by their names, or what comes from a time on. */
export type Split =
  | { readonly kind: "share"; readonly share: number }
  | { readonly kind: "trajectories"; readonly ids: readonly string[] }
  | { readonly kind: "time"; readonly from: number };

/** A split from `0.2`, `id=a,b` or `time=40`. @throws {SeriesSplitError} */
export function parseSplit(option: string, text: string): Split {
  const ids = /^id=(.+)$/s.exec(text);
  if (ids !== null) return { kind: "trajectories", ids: ids[1]!.split(",").map((id) => id.trim()) };
  const time = /^time=(.+)$/.exec(text);
  const number = Number(time?.[1] ?? text);
  if (time !== null && Number.isFinite(number)) return { kind: "time", from: number };
  if (time === null && text.trim() !== "" && number > 0 && number < 1)
    return { kind: "share", share: number };
  throw new SeriesSplitError(
    `${option} takes a share such as 0.2, trajectories (id=a,b) or a time from which on (time=40), but "${text}" was given.`,
  );
}

/** What is learnt from, what is chosen by, and what is measured at the end. */
export interface Parts {
  readonly training: readonly Stretch[];
  readonly validation: readonly Stretch[];
  readonly test: readonly Stretch[];
}

export interface Splits {
  readonly validation: Split | null;
  readonly test: Split | null;
  /** of the trajectories that are drawn for a share */
  readonly seed: number;
  /** whether the first observation of a trajectory counts in the loss: where its initial state is trained */
  readonly countsFirst: boolean;
}

/**
 * Sets parts of the data apart. A share is one of the trajectories, drawn from the seed; of a single trajectory it is that
 * share of its observations, the last ones. What is set apart by time is forecast: it is solved for from the first
 * observation on, and nothing in between is corrected.
 *
 * @throws {SeriesSplitError} where a part would be empty
 */
export function partsOf(series: readonly Series[], { validation, test, seed, countsFirst }: Splits): Parts {
  const order = Random.seeded(seed).permutation(series.length);
  const taken = new Set<number>();
  /** of each trajectory, the first observation that is not learnt from */
  const ends = series.map(({ times }) => times.length);
  const apart = (option: string, split: Split | null): Stretch[] => {
    if (split === null) return [];
    if (split.kind === "trajectories" || (split.kind === "share" && series.length > 1)) {
      const chosen =
        split.kind === "trajectories" ? named(option, series, split.ids) : drawn(order, taken, split.share);
      const twice = chosen.find((i) => taken.has(i));
      if (twice !== undefined) {
        throw new SeriesSplitError(
          `The trajectory ${shown(series[twice]!.id)} is set apart twice; name it once.`,
        );
      }
      for (const i of chosen) taken.add(i);
      return chosen.map((i) => stretchOf(series[i]!, i, countsFirst ? 0 : 1, ends[i]!));
    }
    const stretches = series.flatMap((one, i): Stretch[] => {
      if (taken.has(i)) return [];
      const start = cutOf(one, split, ends[i]!);
      const end = ends[i]!;
      ends[i] = Math.min(end, Math.max(1, start));
      return start >= end ? [] : [stretchOf(one, i, Math.max(1, start), end)];
    });
    return stretches;
  };
  const parts = { test: apart("--test", test), validation: apart("--validation", validation) };
  const training = series.flatMap((one, i) => {
    const stretch = stretchOf(one, i, countsFirst ? 0 : 1, ends[i]!);
    return taken.has(i) ? [] : [stretch];
  });
  return {
    training: whole("The training data", training),
    validation: validation === null ? [] : whole("--validation", parts.validation),
    test: test === null ? [] : whole("--test", parts.test),
  };
}

/** Stretches with anything to measure. */
function whole(what: string, stretches: readonly Stretch[]): Stretch[] {
  const kept = stretches.filter(({ measured }) => measured.length > 0);
  if (kept.length > 0) return kept;
  throw new SeriesSplitError(`${what}: no observation is left for it. Set less apart, or give more data.`);
}

function stretchOf(series: Series, trajectory: number, first: number, end: number): Stretch {
  const measured = series.times
    .map((_, k) => k)
    .slice(first, end)
    .filter((k) => series.values[k]!.some((value) => !Number.isNaN(value)));
  return { series, trajectory, from: 0, measured };
}

/** The first observation that is set apart. */
function cutOf({ times }: Series, split: Exclude<Split, { kind: "trajectories" }>, end: number): number {
  if (split.kind === "share") return end - Math.max(1, Math.round(split.share * times.length));
  const at = times.findIndex((time) => time >= split.from);
  return at < 0 ? end : at;
}

function drawn(order: readonly number[], taken: ReadonlySet<number>, share: number): number[] {
  const free = order.filter((i) => !taken.has(i));
  return free.slice(0, Math.max(1, Math.round(share * order.length))).sort((a, b) => a - b);
}

function named(option: string, series: readonly Series[], ids: readonly string[]): number[] {
  return ids.map((id) => {
    const at = series.findIndex((one) => one.id === id);
    if (at >= 0) return at;
    const some = series
      .slice(0, 10)
      .map((one) => one.id)
      .join(", ");
    throw new SeriesSplitError(
      `${option} names the trajectory ${shown(id)}, which is not in the data; there are ${some}${series.length > 10 ? ", …" : ""}.`,
    );
  });
}
