import { convergence } from "./convergence.js";
import type { Figure } from "./figure.js";
import { stability } from "./stability.js";

/** The figures that have a name. */
export const figures: readonly Figure[] = [convergence, stability];
