import type { Runtime } from "../runtime/runtime.js";
import { jit } from "../runtimes/jit/jit.js";
import { ortWasm, ortWebGpu } from "../runtimes/ort-web.js";
import type { RuntimeName, RuntimeOffer } from "./messages.js";

/** @throws {RuntimeUnavailableError} */
export async function openRuntime(name: RuntimeName): Promise<Runtime> {
  switch (name) {
    case "jit":
      return jit();
    case "ort-wasm":
      return ortWasm();
    case "ort-webgpu":
      return ortWebGpu();
  }
}

/** Which runtimes work here, as far as that is known without loading any. */
export async function offeredRuntimes(): Promise<RuntimeOffer[]> {
  const both = ["float64", "float32"] as const;
  return [
    { name: "jit", dtypes: both, reason: await jitProblem() },
    { name: "ort-wasm", dtypes: both, reason: null },
    { name: "ort-webgpu", dtypes: ["float32"], reason: await gpuProblem() },
  ];
}

async function jitProblem(): Promise<string | null> {
  return openRuntime("jit").then(
    () => null,
    (cause: Error) => cause.message,
  );
}

async function gpuProblem(): Promise<string | null> {
  const { gpu } = globalThis.navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  if (gpu === undefined) return "this browser has no WebGPU";
  const adapter = await gpu.requestAdapter().catch(() => null);
  return adapter === null ? "WebGPU finds no GPU here" : null;
}
