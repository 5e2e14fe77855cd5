import type { Runtime } from "../runtime/runtime.js";
import { auto } from "../runtimes/auto.js";
import { jit } from "../runtimes/jit/jit.js";
import { ortNode } from "../runtimes/ort-node.js";
import { ortWasm } from "../runtimes/ort-web.js";

const runtimes = {
  /** ONNX Runtime's CPU provider */
  "ort-cpu": ortNode,
  /** the same, compiled to WebAssembly */
  "ort-wasm": ortWasm,
  /** graphs compiled to WebAssembly: the fastest for small fields and batches */
  jit: async () => jit(),
  /** jit or ort-cpu, by the size of each graph */
  auto: async () => auto(jit(), await ortNode()),
} as const satisfies Record<string, () => Promise<Runtime>>;

export type RuntimeName = keyof typeof runtimes;
export const runtimeNames = Object.keys(runtimes) as RuntimeName[];

/** @throws {RuntimeUnavailableError} */
export function openRuntime(name: RuntimeName): Promise<Runtime> {
  return runtimes[name]();
}
