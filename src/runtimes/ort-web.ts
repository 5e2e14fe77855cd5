import { type Runtime, RuntimeUnavailableError } from "../runtime/runtime.js";
import { type OrtModule, ortRuntime } from "./ort.js";

/**
 * ONNX Runtime's CPU provider compiled to WebAssembly, through `onnxruntime-web`: float32 and float64, in Node and in
 * the browser.
 *
 * @throws {RuntimeUnavailableError} if `onnxruntime-web` is not installed
 */
export async function ortWasm(): Promise<Runtime> {
  let ort: OrtModule;
  try {
    ort = (await import("onnxruntime-web/wasm")) as unknown as OrtModule;
  } catch (cause) {
    throw new RuntimeUnavailableError(
      `onnxruntime-web cannot be loaded (${(cause as Error).message}). Install it with \`npm install onnxruntime-web\`.`,
      { cause },
    );
  }
  // one thread: worker threads need cross-origin isolation in browsers, and slow small graphs down everywhere
  ort.env.wasm.numThreads = 1;
  return ortRuntime("ort-wasm", ort.env.versions.web ?? "", ort, { executionProviders: ["wasm"] });
}
