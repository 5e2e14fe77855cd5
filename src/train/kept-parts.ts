import type { Checkpoint } from "./checkpoint.js";
import type { Scheme } from "./scheme.js";

// In how many parts batches are gone through: chosen once for a run, and kept with it.

/**
 * The parts of a run where nobody says how many: those that it had, one where it kept none. `null` leaves them to be
 * chosen.
 */
export function partsOf(resume: Checkpoint | undefined, helpers: readonly unknown[] = []): number | null {
  if (resume === undefined) return null;
  // runs with helpers kept none at first
  return resume.parts ?? (helpers.length > 0 ? null : 1);
}

/** What a checkpoint keeps of them. */
export function keptParts({ updater }: Scheme): Pick<Checkpoint, "parts"> {
  const { parts } = updater.ran;
  return parts === 1 ? {} : { parts };
}
