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
