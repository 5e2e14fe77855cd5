import { jit } from "../../src/browser.js";
import type { Backend } from "../../src/graph-model/backends.js";
import { RuntimeUnavailableError } from "../../src/runtime/runtime.js";
import { tfjs } from "../../src/tfjs.js";
import { operatorChecks } from "../webgpu/operators.js";
import { type Report, report } from "../webgpu/report.js";
import { tfjsChecks } from "./checks.js";

/** All checks of a backend in a page but those that are skipped, or why it does not work there. */
export async function inPage(
  backend: Backend,
  skipped: Readonly<Record<string, string>>,
): Promise<Report | { readonly reason: string }> {
  const place = {
    backend,
    open: (options = {}) => tfjs({ backend, ...options }),
    reference: async () => jit(),
  };
  const own = Object.entries({ ...tfjsChecks, ...operatorChecks }).filter(([title]) => !(title in skipped));
  try {
    return await report(place, Object.fromEntries(own), skipped);
  } catch (cause) {
    if (cause instanceof RuntimeUnavailableError) return { reason: cause.message };
    throw cause;
  }
}
