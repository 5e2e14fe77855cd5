import { isInBrowser } from "../core/place.js";
import { type Runtime, RuntimeUnavailableError } from "../runtime/runtime.js";
import type { OrtModule } from "./ort.js";
import { ortCpuRuntime } from "./ort-cpu.js";
import { type WebGpuOptions, webGpuRuntime } from "./ort-webgpu.js";

/** Where ONNX Runtime's WebAssembly is: a folder that holds its `.mjs` and `.wasm` files, or the address of each. */
export type WasmPaths = string | { readonly wasm?: string | URL; readonly mjs?: string | URL };

export interface WasmOptions {
  /**
   * By default `ort-wasm-simd-threaded.wasm` beside the script. What is said with the first runtime that is opened holds for
   * all of them.
   */
  readonly wasmPaths?: WasmPaths;
}

export interface WebGpuInBrowserOptions extends WebGpuOptions {
  /** By default `ort-wasm-simd-threaded.asyncify.wasm` beside the script. */
  readonly wasmPaths?: WasmPaths;
}

/**
 * ONNX Runtime's CPU provider compiled to WebAssembly, through `onnxruntime-web`: float32 and float64, in Node and in
 * the browser.
 *
 * @throws {RuntimeUnavailableError} if `onnxruntime-web` is not installed, or its WebAssembly is not where it is looked for
 */
export async function ortWasm({ wasmPaths }: WasmOptions = {}): Promise<Runtime> {
  const ort = await load(() => import("onnxruntime-web/wasm"), wasmPaths);
  // where the file is looked for in vain is found out now, and not with the first graph
  if (isInBrowser()) {
    const opened = ort.InferenceSession.create(new Uint8Array(), { executionProviders: ["wasm"] });
    await opened.catch((cause) => throwWhereMissing(cause, "ort-wasm-simd-threaded.wasm", "ortWasm"));
  }
  return ortCpuRuntime("ort-wasm", versionOf(ort), ort, ["wasm"]);
}

/**
 * ONNX Runtime's WebGPU provider through `onnxruntime-web`, for a browser with WebGPU: float32. States stay on the GPU
 * from run to run.
 *
 * @throws {RuntimeUnavailableError} if `onnxruntime-web` is not installed, its WebAssembly is not where it is looked for,
 *   or the browser has no WebGPU or no GPU for it
 */
export async function ortWebGpu({ wasmPaths, ...options }: WebGpuInBrowserOptions = {}): Promise<Runtime> {
  const remedy =
    "Browsers have WebGPU (Chrome and Edge from 113 on, others since) for pages served by https or from localhost, and on " +
    "GPUs that they support. Without it use the runtimes jit or ort-wasm.";
  // asked before, so that 27 MB of WebAssembly are not loaded in vain
  if (!(await globalThis.navigator?.gpu?.requestAdapter())) {
    const reason = globalThis.navigator?.gpu ? "the browser finds none" : "there is no WebGPU here";
    throw new RuntimeUnavailableError(`ort-webgpu has no GPU (${reason}). ${remedy}`);
  }
  const ort = await load(() => import("onnxruntime-web/webgpu"), wasmPaths);
  try {
    return await webGpuRuntime(ort, versionOf(ort), remedy, options);
  } catch (cause) {
    throwWhereMissing((cause as Error).cause, "ort-wasm-simd-threaded.asyncify.wasm", "ortWebGpu");
    throw cause;
  }
}

async function load(importing: () => Promise<unknown>, wasmPaths: WasmPaths | undefined): Promise<OrtModule> {
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
  if (wasmPaths !== undefined)
    ort.env.wasm.wasmPaths = wasmPaths as NonNullable<typeof ort.env.wasm.wasmPaths>;
  return ort;
}

/** @throws {RuntimeUnavailableError} if what ONNX Runtime says is that it did not get its WebAssembly */
function throwWhereMissing(cause: unknown, file: string, call: string): void {
  const { message } = cause as Error;
  if (!message.includes("no available backend") || !/wasm/i.test(message.replace(/\[wasm\]/g, ""))) return;
  throw new RuntimeUnavailableError(
    `ONNX Runtime's WebAssembly cannot be loaded (${message.replace(/^.*ERR: /, "").trim()}). It is looked for in ${file} beside ` +
      "the script. Copy that file there from node_modules/onnxruntime-web/dist, or say where it is: " +
      `await ${call}({ wasmPaths: { wasm: "https://…/${file}" } }). Then load the page again, since ONNX Runtime does not ` +
      "look twice.",
    { cause },
  );
}

function versionOf({ env }: OrtModule): string {
  return env.versions.web ?? "";
}
