import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Builder } from "../graph/builder.js";
import { encode } from "../graph/encode.js";
import { matmul } from "../ops/linalg.js";
import { type Runtime, RuntimeUnavailableError } from "../runtime/runtime.js";
import type { OrtModule } from "./ort.js";
import { ortCpuRuntime } from "./ort-cpu.js";
import { loadOrtNode } from "./ort-node.js";

/** Files of the CUDA provider, which are too large for the npm package. */
const providerFiles = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"];

/**
 * ONNX Runtime's CUDA provider through `onnxruntime-node`, on an NVIDIA GPU under Linux: float32 and float64. Every run
 * copies its inputs there and its outputs back: Node's interface has no tensors on the GPU.
 *
 * Operators that the provider has no kernel for run on the processor, as ONNX Runtime does it.
 *
 * @throws {RuntimeUnavailableError} saying what is missing: the package, the provider's files, or a GPU for them
 */
export async function ortCuda(): Promise<Runtime> {
  const ort = await loadOrtNode();
  const version = ort.env.versions.node ?? "";
  const unavailable = (reason: string, remedy: string, cause?: unknown) => {
    throw new RuntimeUnavailableError(`ort-cuda does not work here: ${reason}. ${remedy}`, { cause });
  };
  const otherwise = "Without it use the runtimes auto, ort-cpu or jit.";
  if (process.platform !== "linux" || process.arch !== "x64") {
    const here = `${process.platform}-${process.arch}`;
    return unavailable(`onnxruntime-node has a CUDA provider for linux-x64, and this is ${here}`, otherwise);
  }
  const folder = libraryFolder();
  const missing = providerFiles.filter((file) => !existsSync(join(folder, file)));
  if (missing.length > 0) {
    return unavailable(
      `onnxruntime-node ${version} has no CUDA provider (${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} not in ${folder})`,
      "For CUDA 12 its install script fetches them from NuGet: " +
        "`ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false`. " +
        `For CUDA 13 copy them there from the folder onnxruntime/capi of PyPI's onnxruntime-gpu==${version}. ${otherwise}`,
    );
  }
  try {
    await probe(ort);
  } catch (cause) {
    return unavailable(
      `the CUDA provider does not start (${(cause as Error).message.split("\n")[0]})`,
      "It needs an NVIDIA GPU with its driver, and the libraries of CUDA and cuDNN of the version that its files were built for " +
        `on LD_LIBRARY_PATH. ${otherwise}`,
      cause,
    );
  }
  return ortCpuRuntime("ort-cuda", version, ort, ["cuda"]);
}

/** Where onnxruntime-node has its libraries. */
function libraryFolder(): string {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  const binaries = join(dirname(entry), "..", "bin");
  const abi = readdirSync(binaries).find((name) => name.startsWith("napi-")) ?? "";
  return join(binaries, abi, process.platform, process.arch);
}

/** Opens and runs a product of matrices that nothing but the GPU may compute. */
async function probe(ort: OrtModule): Promise<void> {
  const b = new Builder();
  const x = b.input("x", "float32", [2, 2]);
  const session = await ort.InferenceSession.create(encode(b.graph({ y: matmul(b, x, x) }, "probe")), {
    executionProviders: ["cuda"],
    logSeverityLevel: 4,
    extra: { session: { disable_cpu_ep_fallback: "1" } },
  });
  const { y } = await session.run({ x: new ort.Tensor("float32", Float32Array.of(1, 2, 3, 4), [2, 2]) });
  const found = [...(y!.data as Float32Array)];
  await session.release();
  if (found.join() !== "7,10,15,22") throw new Error(`a product of matrices came out as ${found.join(", ")}`);
}
