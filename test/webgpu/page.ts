import { jit, ortWebGpu, RuntimeUnavailableError } from "../../src/browser.js";
import { webGpuChecks } from "./checks.js";
import { readBackChecks } from "./read-backs.js";
import { type Report, report } from "./report.js";

/** All checks in a page, or why there is no GPU for them. */
export async function inPage(): Promise<Report | { readonly reason: string }> {
  try {
    return await report(
      { open: ortWebGpu, reference: async () => jit() },
      { ...webGpuChecks, ...readBackChecks },
    );
  } catch (cause) {
    if (cause instanceof RuntimeUnavailableError) return { reason: cause.message };
    throw cause;
  }
}
