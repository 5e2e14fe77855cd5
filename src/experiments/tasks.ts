import { characterTrajectories } from "./character-trajectories.js";
import { latentSde } from "./latent-sde.js";
import { ouSdeGan } from "./ou-sde-gan.js";
import type { TaskExperiment } from "./task-experiment.js";
import { twoMoons } from "./two-moons.js";
import { uea } from "./uea.js";

/** The experiments whose models are more than a vector field. */
export const taskExperiments: readonly TaskExperiment[] = [
  twoMoons,
  characterTrajectories,
  uea,
  latentSde,
  ouSdeGan,
];
