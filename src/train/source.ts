import { type SamplerState, sampler } from "./batches.js";
import type { Batch } from "./updater.js";

/** Where the samples of updates come from. */
export interface Source {
  /** the samples of the next update; `null` where there are no more */
  readonly next: () => Promise<Batch | null>;
  /** where it is: enough to go on exactly as if it had never stopped */
  readonly state: () => SamplerState;
}

/** Batches of samples that are all there, each of them once an epoch. @throws as `sampler` does */
export function shuffled(count: number, size: number, start: number | SamplerState): Source {
  const batches = sampler(count, size, start);
  return { next: async () => ({ which: batches.next() }), state: batches.state };
}
