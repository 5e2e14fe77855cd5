import type { Runtime } from "../runtime/runtime.js";
import { ortNode } from "../runtimes/ort-node.js";
import { ortWasm } from "../runtimes/ort-web.js";

const runtimes = {
  /** ONNX Runtime's CPU provider */
  "ort-cpu": ortNode,
  /** the same, compiled to WebAssembly */
  "ort-wasm": ortWasm,
} as const satisfies Record<string, () => Promise<Runtime>>;

export type RuntimeName = keyof typeof runtimes;
export const runtimeNames = Object.keys(runtimes) as RuntimeName[];

/** @throws {RuntimeUnavailableError} */
export function openRuntime(name: RuntimeName): Promise<Runtime> {
  return runtimes[name]();
}
