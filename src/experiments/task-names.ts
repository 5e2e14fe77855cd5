/** The names of the task experiments, without what it takes to make them. */
export const taskNames: readonly string[] = [
  "two-moons",
  "character-trajectories",
  "uea",
  "latent-sde",
  "ou-sde-gan",
  "spirals",
  "latent-spirals",
  "irregular-periodic",
  "heat",
  "burgers",
  "gray-scott",
  "mnist-ode",
  "cifar-ode",
  "deq-mnist",
  "deq-cifar",
  "turbulence",
];
