import type { Backend } from "../graph-model/backends.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Choice } from "../runtimes/auto.js";
import { ortNode, ortWebGpu } from "../runtimes/ort-node.js";
import { ortWasm } from "../runtimes/ort-web.js";
import { checkIsHere } from "./bundle/left-out.js";

/** Told which runtime a graph went to, and why. */
export type Explain = (choice: Choice) => void;
/** Takes a line for the user. */
type Say = (line: string) => void;

/** Each is loaded when it is asked for; the first is what commands use unless told otherwise. */
const runtimes = {
  /** jit or ort-cpu, by the size of each graph */
  async auto(say: Say, explain: Explain) {
    const { autoNode } = await import("../runtimes/auto-node.js");
    return autoNode({ explain, onlyJit: (why) => say(`runtime auto: ${why}`) });
  },
  /** graphs compiled to WebAssembly: the fastest for small fields and batches */
  jit: async () => (await import("../runtimes/jit/jit.js")).jit(),
  /** ONNX Runtime's CPU provider */
  "ort-cpu": ortNode,
  /** the same, compiled to WebAssembly */
  "ort-wasm": () => ortWasm(),
  /** ONNX Runtime's CUDA provider, on an NVIDIA GPU, where its files are installed */
  "ort-cuda": async () => (await import("../runtimes/ort-cuda.js")).ortCuda(),
  /** ONNX Runtime's WebGPU provider, on a GPU: float32 alone */
  "ort-webgpu": () => ortWebGpu(),
  /** TensorFlow.js on one of its backends: float32 alone, and no loops of unknown length */
  "tfjs-cpu": () => openTfjs("cpu"),
  "tfjs-wasm": () => openTfjs("wasm"),
  "tfjs-webgl": () => openTfjs("webgl"),
  "tfjs-webgpu": () => openTfjs("webgpu"),
} as const satisfies Record<string, (say: Say, explain: Explain) => Promise<Runtime>>;

async function openTfjs(backend: Backend): Promise<Runtime> {
  return (await import("../runtimes/tfjs/tfjs.js")).tfjs({ backend });
}

export type RuntimeName = keyof typeof runtimes;
export const runtimeNames = Object.keys(runtimes) as RuntimeName[];

/** What commands use unless told otherwise. */
export const usualRuntime: RuntimeName = "auto";

export interface RuntimeNotes {
  /** told where the runtime is less than its name says */
  readonly say?: Say;
  readonly explain?: Explain;
}

/** @throws {RuntimeUnavailableError} */
export async function openRuntime(
  name: RuntimeName,
  { say = () => {}, explain = () => {} }: RuntimeNotes = {},
): Promise<Runtime> {
  checkIsHere(name);
  return runtimes[name](say, explain);
}

/** Says once which runtime does the work of a command, where that was left to revort. */
export function explainOnce(say: Say, graphs: readonly string[]): Explain {
  let said = false;
  return (choice) => {
    if (said || !graphs.includes(choice.graph)) return;
    said = true;
    say(`runtime ${choice.runtime}: ${choice.why}.`);
  };
}
