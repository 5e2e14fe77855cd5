// Names of what goes between the programs of a gradient that takes several runs, and of what schedules and times add to
// a grid.

/** Cotangents of the saved states. */
export const arrivingName = "arriving";

/** Gradient of the times: the first one, then the save times. */
export const timesName = "times";
/** Where each step starts and ends between the times around it, from 0 to 1. */
export const shareNames = { start: "shares/start", end: "shares/end" } as const;
/** The save that each step leads to. */
export const leadsToName = "leadsTo";

/** What goes between the programs of a continuous adjoint with chosen steps. */
export const adjointNames = {
  /** y, a and what is gathered of the gradient, as one vector */
  vector: "vector",
  save: "save",
  t: "t",
  /** derivative of the loss in that time */
  inTime: "inTime",
} as const;
