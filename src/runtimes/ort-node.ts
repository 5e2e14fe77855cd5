import { type Runtime, RuntimeUnavailableError } from "../runtime/runtime.js";
import { type OrtModule, ortRuntime } from "./ort.js";

/**
 * ONNX Runtime's CPU provider through `onnxruntime-node`: float32 and float64.
 *
 * @throws {RuntimeUnavailableError} if `onnxruntime-node` is not installed or has no binary for this machine
 */
export async function ortNode(): Promise<Runtime> {
  let ort: OrtModule & { readonly default?: OrtModule };
  try {
    ort = (await import("onnxruntime-node")) as unknown as OrtModule & { readonly default?: OrtModule };
  } catch (cause) {
    throw new RuntimeUnavailableError(
      `onnxruntime-node cannot be loaded on ${process.platform}-${process.arch} (${(cause as Error).message}). ` +
        "Install it with `ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node`, or use the runtime ort-wasm.",
      { cause },
    );
  }
  const loaded = ort.default ?? ort;
  return ortRuntime("ort-cpu", loaded.env.versions.node ?? "", loaded, { executionProviders: ["cpu"] });
}
