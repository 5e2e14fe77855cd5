import { complexity } from "./complexity.js";
import { convergence } from "./convergence.js";
import type { Figure } from "./figure.js";
import { gradientError } from "./gradient-error.js";
import { memory } from "./memory.js";
import { stability } from "./stability.js";
import { whiteDwarfTable } from "./white-dwarf.js";

/** The figures that have a name. */
export const figures: readonly Figure[] = [
  convergence,
  stability,
  complexity,
  gradientError,
  memory,
  whiteDwarfTable,
];
