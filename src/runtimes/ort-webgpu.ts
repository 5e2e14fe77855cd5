import { ortHere } from "../core/place.js";
import { type Graph, nodesOf, showType, subgraphsOf, type Value } from "../graph/graph.js";
import { decompose } from "../graph/passes.js";
import { fuse } from "../runtime/fuse.js";
import { hasWebGpuKernel } from "../runtime/kernels.js";
import {
  CompileError,
  type DeviceTensor,
  type Runtime,
  RuntimeUnavailableError,
} from "../runtime/runtime.js";
import { staged } from "../runtime/staged.js";
import { unroll } from "../runtime/unroll.js";
import { GpuMemory, type GpuTensor, placeOf } from "./gpu-memory.js";
import { openOnGpu } from "./gpu-session.js";
import { compile, type OrtModule, type Provider } from "./ort.js";

export interface WebGpuOptions {
  /**
   * Loops of up to so many iterations are unrolled, 16 by default, and longer ones done in runs of so many at most, between which
   * states stay on the GPU. With 0, loops stay loops, in which the GPU waits for the processor in each iteration.
   */
  readonly unroll?: number;
}

/**
 * A runtime on ONNX Runtime's WebGPU provider: float32.
 *
 * @param remedy  what to do where there is no GPU
 * @throws {RuntimeUnavailableError} where there is none
 */
export async function webGpuRuntime(
  ort: OrtModule,
  version: string,
  remedy: string,
  { unroll: most = 16 }: WebGpuOptions,
): Promise<Runtime> {
  const name = "ort-webgpu";
  const memory = new GpuMemory(ort);
  try {
    // it stays open, and so does the GPU, which goes with its last session
    await memory.crossing("cpu");
  } catch (cause) {
    // without the line of ONNX Runtime's source
    const reason = (cause as Error).message.replace(/^.*was false\. /, "").trim();
    throw new RuntimeUnavailableError(`ort-webgpu has no GPU (${reason}). ${remedy}`, { cause });
  }
  const provider: Provider<GpuTensor> = {
    name,
    lower(graph) {
      refuseFloat64(name, graph);
      return fuse(decompose(unroll(graph, most), hasWebGpuKernel));
    },
    open(graph, options) {
      const places = graph.outputs.map((output) => [output.name, placeOf(output.value)]);
      return openOnGpu(ort, graph, { ...options, preferredOutputLocation: Object.fromEntries(places) });
    },
    give: (value) => memory.give(value),
    take: (value) => memory.take(value),
  };
  const runtime: Runtime = {
    name,
    version,
    compile: (graph, options) => compile(provider, graph, options),
    upload: (value) => memory.upload(value),
    download: (value) => memory.download(value as GpuTensor),
    dispose: (value: DeviceTensor) => memory.dispose(value as GpuTensor),
  };
  return most === 0 ? runtime : staged(runtime, most);
}

/** @throws {CompileError} for a graph with a value in float64, which no GPU has through WebGPU */
function refuseFloat64(runtime: string, graph: Graph): void {
  const visit = (part: Graph): void => {
    for (const value of part.inputs) check(value, `input "${value.name}"`);
    for (const { op, inputs, outputs, attributes } of nodesOf(part)) {
      for (const value of inputs) if (value !== null) check(value, `operand of ${op.type}`);
      for (const value of outputs) check(value, `result of ${op.type}`);
      subgraphsOf(attributes).forEach(visit);
    }
    for (const { name, value } of part.outputs) check(value, `output "${name}"`);
  };
  const check = (value: Value, what: string): void => {
    if (value.dtype !== "float64") return;
    throw new CompileError(
      `${runtime} cannot run the graph "${graph.name}": its ${what} is ${showType(value)}, and WebGPU has no float64. ` +
        `Build it in float32 (\`dtype: "float32"\`, \`--dtype float32\`), or run it on jit or ${ortHere()}.`,
    );
  };
  visit(graph);
}
