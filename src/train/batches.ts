import { RevortError } from "../core/errors.js";
import { Random, type RandomState } from "../core/random.js";

/** Where a sampler is: enough to go on exactly as if it had never stopped. */
export interface SamplerState {
  readonly random: RandomState;
  /** the order of this epoch */
  readonly order: readonly number[];
  /** how many of it are used up */
  readonly position: number;
}

/**
 * Mini-batches without replacement: every trajectory, or sample, once per epoch, in a new random order each; what does not fill a
 * batch at the end of an epoch is left out of it.
 */
export interface Sampler {
  readonly next: () => readonly number[];
  readonly state: () => SamplerState;
}

/**
 * @param unit  what the batches are of
 * @throws {RevortError} unless 1 ≤ size ≤ count, and a state to go on from is one of so many
 */
export function sampler(
  count: number,
  size: number,
  start: number | SamplerState,
  unit: "trajectories" | "samples" = "trajectories",
): Sampler {
  if (!Number.isInteger(size) || size < 1 || size > count) {
    throw new RevortError(`A batch must hold 1 to ${count} ${unit}, but ${size} were asked for.`);
  }
  if (typeof start !== "number" && start.order.length !== 0 && start.order.length !== count) {
    throw new RevortError(
      `The run to go on from was on ${start.order.length} ${unit}, but there are ${count}. Give the same data.`,
    );
  }
  const random = typeof start === "number" ? Random.seeded(start) : Random.restored(start.random);
  let order: readonly number[] = typeof start === "number" ? [] : start.order;
  let position = typeof start === "number" ? 0 : start.position;
  return {
    next() {
      if (size === count) return Array.from({ length: count }, (_, i) => i);
      if (position + size > order.length) {
        order = random.permutation(count);
        position = 0;
      }
      position += size;
      return order.slice(position - size, position);
    },
    state: () => ({ random: random.state, order, position }),
  };
}
