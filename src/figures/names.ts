/** The names of the figures, without what it takes to make them. */
export const figureNames: readonly string[] = [
  "convergence",
  "stability",
  "complexity",
  "gradient-error",
  "memory",
  "white-dwarf",
];
