import type { ExperimentCase } from "./case.js";
import { characterTrajectories } from "./character-trajectories.js";
import { heat } from "./heat.js";
import { latentSpirals } from "./latent-spirals.js";
import { mnistOde } from "./mnist-ode.js";
import { ouSdeGan } from "./ou-sde-gan.js";
import { twoMoons } from "./two-moons.js";

/** Every experiment that is measured, by its name. */
export const cases: Readonly<Record<string, ExperimentCase>> = {
  "two-moons": twoMoons,
  "character-trajectories": characterTrajectories,
  "mnist-ode": mnistOde,
  heat,
  "latent-spirals": latentSpirals,
  "ou-sde-gan": ouSdeGan,
};
