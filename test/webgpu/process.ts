import { writeSync } from "node:fs";
import { RuntimeUnavailableError } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortWebGpu } from "../../src/runtimes/ort-node.js";
import { webGpuChecks } from "./checks.js";
import { operatorChecks } from "./operators.js";
import { report } from "./report.js";

// All checks in a process of its own, of which the environment says where Vulkan is. The report goes to stdout as JSON.
const place = { open: ortWebGpu, reference: async () => jit() };
const result = await report(place, { ...webGpuChecks, ...operatorChecks }).catch((cause) => {
  if (cause instanceof RuntimeUnavailableError) return { reason: cause.message };
  throw cause;
});
writeSync(1, `\n${JSON.stringify(result)}`);
