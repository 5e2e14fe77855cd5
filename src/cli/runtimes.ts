import type { Runtime } from "../runtime/runtime.js";
import type { Choice } from "../runtimes/auto.js";
import { ortNode, ortWebGpu } from "../runtimes/ort-node.js";
import { ortWasm } from "../runtimes/ort-web.js";

/** Told which runtime a graph went to, and why. */
export type Explain = (choice: Choice) => void;

/** Each is loaded when it is asked for; the first is what commands use unless told otherwise. */
const runtimes = {
  /** jit or ort-cpu, by the size of each graph */
  async auto(explain: Explain) {
    const [{ auto }, { jit }] = await Promise.all([
      import("../runtimes/auto.js"),
      import("../runtimes/jit/jit.js"),
    ]);
    return auto(jit(), await ortNode(), { explain });
  },
  /** graphs compiled to WebAssembly: the fastest for small fields and batches */
  jit: async () => (await import("../runtimes/jit/jit.js")).jit(),
  /** ONNX Runtime's CPU provider */
  "ort-cpu": ortNode,
  /** the same, compiled to WebAssembly */
  "ort-wasm": ortWasm,
  /** ONNX Runtime's WebGPU provider, on a GPU: float32 alone */
  "ort-webgpu": () => ortWebGpu(),
} as const satisfies Record<string, (explain: Explain) => Promise<Runtime>>;

export type RuntimeName = keyof typeof runtimes;
export const runtimeNames = Object.keys(runtimes) as RuntimeName[];

/** What commands use unless told otherwise. */
export const usualRuntime: RuntimeName = "auto";

/** @throws {RuntimeUnavailableError} */
export function openRuntime(name: RuntimeName, explain: Explain = () => {}): Promise<Runtime> {
  return runtimes[name](explain);
}

/** Says once which runtime does the work of a command, where that was left to revort. */
export function explainOnce(say: (line: string) => void, graphs: readonly string[]): Explain {
  let said = false;
  return (choice) => {
    if (said || !graphs.includes(choice.graph)) return;
    said = true;
    say(`runtime ${choice.runtime}: ${choice.why}.`);
  };
}
