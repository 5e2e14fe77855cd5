// The names of the inputs and outputs of programs: the protocol between graphs, the loops that drive them, and files.

/** A parameter θ of the field. */
export const parameterName = (name: string): string => `parameters/${name}`;
/** The gradient of something that went in, named as it went in. */
export const gradientName = (name: string): string => `gradients/${name}`;
/** An array that the loss compares with. */
export const dataName = (name: string): string => `data/${name}`;
/** A part of the optimiser's memory of something that is trained. */
export const memoryName = (part: string, name: string): string => `memory/${part}/${name}`;
/** The new value of something that went in. */
export const nextName = (name: string): string => `next/${name}`;

/** State at the first time. */
export const y0Name = "y0";
/** States at the save times, stacked along a leading axis. */
export const ysName = "ys";
export const lossName = "loss";
export const gradientNormName = "gradientNorm";
export const learningRateName = "learningRate";
/** Number of an update, from 1. */
export const updateCountName = "count";
/** Reconstruction of the initial state by a reversible gradient. */
export const reconstructedName = "reconstructed";

/** The time grid: where each step starts and ends, and its signed size. */
export const gridNames = { t0: "t0", t1: "t1", h: "h" } as const;
/** How many steps lie before each save: one entry more than there are saves. */
export const offsetsName = "offsets";
/** How many steps of a solve end in a finite state. */
export const finiteStepsName = "finiteSteps";
