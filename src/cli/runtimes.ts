import type { Runtime } from "../runtime/runtime.js";
import { ortNode } from "../runtimes/ort-node.js";
import { ortWasm } from "../runtimes/ort-web.js";

/** Each is loaded when it is asked for. */
const runtimes = {
  /** ONNX Runtime's CPU provider */
  "ort-cpu": ortNode,
  /** the same, compiled to WebAssembly */
  "ort-wasm": ortWasm,
  /** graphs compiled to WebAssembly: the fastest for small fields and batches */
  jit: async () => (await import("../runtimes/jit/jit.js")).jit(),
  /** jit or ort-cpu, by the size of each graph */
  async auto() {
    const [{ auto }, { jit }] = await Promise.all([
      import("../runtimes/auto.js"),
      import("../runtimes/jit/jit.js"),
    ]);
    return auto(jit(), await ortNode());
  },
} as const satisfies Record<string, () => Promise<Runtime>>;

export type RuntimeName = keyof typeof runtimes;
export const runtimeNames = Object.keys(runtimes) as RuntimeName[];

/** @throws {RuntimeUnavailableError} */
export function openRuntime(name: RuntimeName): Promise<Runtime> {
  return runtimes[name]();
}
