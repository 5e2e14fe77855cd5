// The names of the inputs and outputs of programs: the protocol between graphs, the loops that drive them, and files.

/** A parameter θ of the field. */
export const parameterName = (name: string): string => `parameters/${name}`;
/** The gradient of something that went in, named as it went in. */
export const gradientName = (name: string): string => `gradients/${name}`;
/** An array that the loss compares with. */
export const dataName = (name: string): string => `data/${name}`;
/** The new value of something that went in. */
export const nextName = (name: string): string => `next/${name}`;

/** State at the first time. */
export const y0Name = "y0";
/** States at the save times, stacked along a leading axis. */
export const ysName = "ys";
export const lossName = "loss";
/** Reconstruction of the initial state by a reversible gradient. */
export const reconstructedName = "reconstructed";

/** What a gradient finds out about itself, relative to the size of y. */
export const watchNames = {
  /** how far states come back from where they were, by reconstruction */
  reconstructionError: "reconstructionError",
  /** how far the companion of y is from it */
  drift: "relativeDrift",
} as const;

/** What a whole solve takes and gives beside y0 and ys. */
export const wholeSolveNames = {
  t0: "t0",
  /** the last time */
  t1: "t1",
  /** the times to save at */
  ts: "ts",
  rtol: "rtol",
  atol: "atol",
  stepSize: "stepSize",
  /** how many steps may be tried */
  maxSteps: "maxSteps",
  /** the state at t1 */
  y1: "y1",
  /** how many steps were taken, and how many were tried in vain */
  accepted: "accepted",
  rejected: "rejected",
  /** whether the solve got to its end */
  reached: "reached",
} as const;

/** The time grid: where each step starts and ends, and its signed size. */
export const gridNames = { t0: "t0", t1: "t1", h: "h" } as const;
/** How many steps lie before each save: one entry more than there are saves. */
export const offsetsName = "offsets";
/** At the saves: how far the companion of y is from it, and the size of y, as root mean squares. */
export const driftNames = { drift: "drift", size: "size" } as const;
/** How many steps of a solve end in a finite state. */
export const finiteStepsName = "finiteSteps";
/** Size of a state, as root mean square. */
export const yNormName = "yNorm";

/** The k-th array of a method's state, as it goes into a run and comes out of it. */
export const stateName = (k: number): string => `state/${k}`;
/** What a solve that chooses its steps hands from one run to the next, and says of each attempt. */
export const adaptiveNames = {
  t: "t",
  /** where time is counted from the start of the solve: the time of that */
  origin: "origin",
  /** the step size to try next, signed */
  h: "h",
  /** f(t, y), where the next step starts with it */
  slope: "slope",
  last: "last",
  beforeLast: "beforeLast",
  rejected: "rejected",
  /** the times to stop at, one after the other */
  targets: "targets",
  /** the time at which the solve ends */
  end: "end",
  /** how many steps to try at most */
  attempts: "attempts",
  /** the step size below which a rejection is final */
  smallest: "smallest",
  /** what errors are held against */
  rtol: "rtol",
  atol: "atol",
  /** whether a step was rejected for good */
  failed: "failed",
  /** after each attempt: the time */
  times: "times",
  /** after each attempt: y, where one run may pass several stops */
  states: "states",
  /** the scaled norm of the error of the last attempt */
  lastNorm: "lastNorm",
  /** after each attempt: the scaled norm of its error */
  norm: "norm",
  /** after each attempt: how far the companion is from y, and the size of y */
  drift: "drift",
  size: "size",
} as const;
/** The k-th recorded array of each attempt. */
export const recordName = (k: number | ""): string => `record/${k}`;

/** The signal of the k-th event: at a state that goes in, and at the one that comes out. */
export const signalName = (k: number): string => `signal/${k}`;
/** Whether the k-th event happens: in the step that was tried last, or first of all in a step. */
export const crossedName = (k: number): string => `crossed/${k}`;
export const locateNames = {
  /** the end of the step in which events happen */
  triedEnd: "triedEnd",
  /** how closely the time of an event is wanted */
  tolerance: "tolerance",
  /** steps taken in order to find it */
  iterations: "iterations",
  /** how closely it is known */
  width: "width",
} as const;
/** The cotangents of the time of an event, and of the state at it. */
export const eventCotangentNames = { time: "cotangent/time", state: "cotangent/state" } as const;
