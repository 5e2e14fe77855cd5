import { RevortError } from "../../core/errors.js";

/** A bundle that cannot be made here. */
export class BundleError extends RevortError {}
