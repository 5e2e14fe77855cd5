import { existsSync } from "node:fs";
import { RuntimeUnavailableError } from "../../runtime/runtime.js";

/** Runtimes that bundles do without: those of browsers, and those that take larger files than all else together. */
export const leftOut: readonly string[] = [
  ...["ort-wasm", "ort-cuda"],
  ...["tfjs-cpu", "tfjs-wasm", "tfjs-webgl", "tfjs-webgpu"],
];

/** What a bundle says of itself, beside the package in it. */
export const manifestName = "bundle.json";

/** A runtime that was left out of the bundle that this program came in. */
export class LeftOutError extends RuntimeUnavailableError {}

/** Whether this program came in a bundle. */
export function isBundled(): boolean {
  return existsSync(new URL(`../../../${manifestName}`, import.meta.url));
}

/** @throws {LeftOutError} for a runtime that is not in the bundle, where this program came in one */
export function checkIsHere(name: string): void {
  if (!leftOut.includes(name) || !isBundled()) return;
  throw new LeftOutError(
    `${name} is not in this bundle, which leaves out the runtimes of browsers, CUDA and TensorFlow.js (${leftOut.join(", ")}). ` +
      "Use auto, jit or ort-cpu, or install revort from npm.",
  );
}
