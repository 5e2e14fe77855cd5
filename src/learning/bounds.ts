import type { SymbolicField } from "../fields/symbolic/symbolic-field.js";
import { clip } from "../ops/extrema.js";
import { inGroups } from "./groups.js";
import type { Optimiser } from "./optimisers.js";

/**
 * An optimiser for equations: a named parameter is updated in units of its own size, so that a rate of 0.02 and one of
 * 20 are found equally fast and decay alike, and is put back between its bounds after each update. Networks among the terms are
 * updated as by the optimiser itself.
 */
export function withinBounds(optimiser: Optimiser, { named }: SymbolicField): Optimiser {
  return inGroups(
    optimiser,
    Object.entries(named).map(([name, { guess, low, high }]) => ({
      match: (other: string) => other === name,
      unit: Math.abs(guess) || (Number.isFinite(high - low) ? (high - low) / 2 : 1),
      ...(low === -Infinity && high === Infinity
        ? {}
        : { project: (b, parameter) => clip(b, parameter, bound(low), bound(high)) }),
    })),
  );
}

function bound(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
