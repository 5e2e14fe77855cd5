// The paths of what goes into every solve, for what is kept by path: files of parameters, and checkpoints.

/** A parameter θ of the field. */
export const parameterName = (name: string): string => `parameters/${name}`;
/** State at the first time. */
export const y0Name = "y0";
