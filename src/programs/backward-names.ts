// Names of what goes between the programs of a gradient that takes several runs, and of what times add to a grid.

/** The cotangent of an array of the state. */
export const cotangentName = (k: number): string => `cotangent/${k}`;
/** A part of a gradient, summed over the steps done. */
export const sumName = (name: string): string => `sum/${name}`;

/** Step indices between which to go; where there are several, a state is reported at each but the first. */
export const boundsName = "bounds";
/** How many stretches lie between the bounds. */
export const stretchesName = "stretches";
/** States reported on the way. */
export const rowsName = "rows";
/** Which of those rows are saves. */
export const savedRowsName = "savedRows";
/** Cotangents of the saved states, with a row of zeros after the last. */
export const arrivingName = "arriving";
/** Which row of those cotangents arrives at the end of each step. */
export const arrivalsName = "arrivals";
/** Which of them arrives at the initial state. */
export const firstArrivalName = "firstArrival";

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
