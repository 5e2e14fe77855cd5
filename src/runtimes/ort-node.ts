import { type Runtime, RuntimeUnavailableError } from "../runtime/runtime.js";
import type { OrtModule } from "./ort.js";
import { ortCpuRuntime } from "./ort-cpu.js";
import { type WebGpuOptions, webGpuRuntime } from "./ort-webgpu.js";

/**
 * ONNX Runtime's CPU provider through `onnxruntime-node`: float32 and float64.
 *
 * @throws {RuntimeUnavailableError} if `onnxruntime-node` is not installed or has no binary for this machine
 */
export async function ortNode(): Promise<Runtime> {
  const ort = await loadOrtNode();
  return ortCpuRuntime("ort-cpu", versionOf(ort), ort, ["cpu"]);
}

/**
 * ONNX Runtime's WebGPU provider through `onnxruntime-node`, on a GPU with a driver for Vulkan, Metal or Direct3D 12:
 * float32. States stay on the GPU from run to run.
 *
 * @throws {RuntimeUnavailableError} if `onnxruntime-node` is not installed, or finds no GPU
 */
export async function ortWebGpu(options: WebGpuOptions = {}): Promise<Runtime> {
  const ort = await loadOrtNode();
  const remedy =
    "It needs a driver for Vulkan (on Linux with libvulkan.so.1), Metal or Direct3D 12. Without one use the runtimes jit, " +
    "ort-cpu or ort-wasm.";
  return webGpuRuntime(ort, versionOf(ort), remedy, options);
}

/** @throws {RuntimeUnavailableError} if `onnxruntime-node` is not installed or has no binary for this machine */
export async function loadOrtNode(): Promise<OrtModule> {
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
  return ort.default ?? ort;
}

function versionOf({ env }: OrtModule): string {
  return env.versions.node ?? "";
}
