import { RevortError } from "../core/errors.js";
import { type SamplerState, sampler } from "./batches.js";
import type { Batch } from "./updater.js";

/** Where the samples of updates come from. */
export interface Source {
  /** the samples of the next update; `null` where there are no more */
  readonly next: () => Batch | null | Promise<Batch | null>;
  /** where it is: enough to go on exactly as if it had never stopped */
  readonly state: () => SamplerState;
  /** Lets go of what is behind it. */
  readonly close?: () => Promise<void>;
}

/** Batches of samples that are all there, each of them once an epoch. @throws as `sampler` does */
export function shuffled(
  count: number,
  size: number,
  start: number | SamplerState,
  unit?: "trajectories" | "samples",
): Source {
  if (typeof start !== "number" && start.random.every((word) => word === 0)) {
    throw new RevortError(
      "The run to go on from was on a stream of samples, but data that are all there are given. Give the same data.",
    );
  }
  const batches = sampler(count, size, start, unit);
  return { next: () => ({ which: batches.next() }), state: batches.state };
}
