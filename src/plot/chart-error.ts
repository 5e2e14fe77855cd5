import { RevortError } from "../core/errors.js";

/** A chart that cannot be drawn as it is described. */
export class ChartError extends RevortError {}
