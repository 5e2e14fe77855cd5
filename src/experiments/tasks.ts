import { burgers } from "./burgers.js";
import { characterTrajectories } from "./character-trajectories.js";
import { deqCifar, deqMnist } from "./deq-images.js";
import { grayScott } from "./gray-scott.js";
import { heat } from "./heat.js";
import { irregularPeriodic } from "./irregular-periodic.js";
import { latentSde } from "./latent-sde.js";
import { latentSpirals } from "./latent-spirals.js";
import { cifarOde, mnistOde } from "./ode-images.js";
import { ouSdeGan } from "./ou-sde-gan.js";
import { spirals } from "./spirals.js";
import type { TaskExperiment } from "./task-experiment.js";
import { turbulence } from "./turbulence.js";
import { twoMoons } from "./two-moons.js";
import { uea } from "./uea.js";

/** The experiments whose models are more than a vector field. */
export const taskExperiments: readonly TaskExperiment[] = [
  twoMoons,
  characterTrajectories,
  uea,
  latentSde,
  ouSdeGan,
  spirals,
  latentSpirals,
  irregularPeriodic,
  heat,
  burgers,
  grayScott,
  mnistOde,
  cifarOde,
  deqMnist,
  deqCifar,
  turbulence,
];
