import { RevortError } from "./errors.js";

/** A tensor, a graph or a run that would need more memory or work than there is, or than a model has use for. */
export class SizeError extends RevortError {}

/** Bytes that one tensor may have: as many as a WebAssembly memory. */
export const largestTensor = 2 ** 32;

/** `1.6 GB`, in powers of 1000. */
export function showBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
  const power = Math.floor(Math.log10(Math.max(1, bytes)) / 3);
  const unit = Math.min(power, units.length - 1);
  return unit === 0 ? `${bytes} bytes` : `${Number((bytes / 1000 ** unit).toPrecision(3))} ${units[unit]}`;
}
