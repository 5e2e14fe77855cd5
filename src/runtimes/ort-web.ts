import { type Runtime, RuntimeUnavailableError } from "../runtime/runtime.js";
import type { OrtModule } from "./ort.js";
import { ortCpuRuntime } from "./ort-cpu.js";
import { type WebGpuOptions, webGpuRuntime } from "./ort-webgpu.js";

/**
 * ONNX Runtime's CPU provider compiled to WebAssembly, through `onnxruntime-web`: float32 and float64, in Node and in
 * the browser.
 *
 * @throws {RuntimeUnavailableError} if `onnxruntime-web` is not installed
 */
export async function ortWasm(): Promise<Runtime> {
  const ort = await load(() => import("onnxruntime-web/wasm"));
  return ortCpuRuntime("ort-wasm", versionOf(ort), ort, ["wasm"]);
}

/**
 * ONNX Runtime's WebGPU provider through `onnxruntime-web`, for a browser with WebGPU: float32. States stay on the GPU
 * from run to run.
 *
 * Its WebAssembly file is looked for beside its script; elsewhere, say so before:
 * `import { env } from "onnxruntime-web/webgpu"; env.wasm.wasmPaths = "https://…/"`.
 *
 * @throws {RuntimeUnavailableError} if `onnxruntime-web` is not installed, or the browser has no WebGPU or no GPU for it
 */
export async function ortWebGpu(options: WebGpuOptions = {}): Promise<Runtime> {
  const remedy =
    "Browsers have WebGPU (Chrome and Edge from 113 on, others since) for pages served by https or from localhost, and on " +
    "GPUs that they support. Without it use the runtimes jit or ort-wasm.";
  // asked before, so that 27 MB of WebAssembly are not loaded in vain
  if (!(await globalThis.navigator?.gpu?.requestAdapter())) {
    const reason = globalThis.navigator?.gpu ? "the browser finds none" : "there is no WebGPU here";
    throw new RuntimeUnavailableError(`ort-webgpu has no GPU (${reason}). ${remedy}`);
  }
  const ort = await load(() => import("onnxruntime-web/webgpu"));
  return webGpuRuntime(ort, versionOf(ort), remedy, options);
}

async function load(importing: () => Promise<unknown>): Promise<OrtModule> {
  let ort: OrtModule;
  try {
    ort = (await importing()) as OrtModule;
  } catch (cause) {
    throw new RuntimeUnavailableError(
      `onnxruntime-web cannot be loaded (${(cause as Error).message}). Install it with \`npm install onnxruntime-web\`.`,
      { cause },
    );
  }
  // one thread: worker threads need cross-origin isolation in browsers, and slow small graphs down everywhere
  ort.env.wasm.numThreads = 1;
  return ort;
}

function versionOf({ env }: OrtModule): string {
  return env.versions.web ?? "";
}
