import type * as Ort from "onnxruntime-common";
import type { DType, Tensor, TensorData } from "../core/tensor.js";
import { encode } from "../graph/encode.js";
import { countNodes, type Graph, type ValueType } from "../graph/graph.js";
import { decompose } from "../graph/passes.js";
import { fuse } from "../runtime/fuse.js";
import { checkInputs } from "../runtime/inputs.js";
import { hasOrtKernel } from "../runtime/kernels.js";
import {
  CompileError,
  type CompileOptions,
  type DeviceTensor,
  type DeviceTensors,
  type Executable,
  RunError,
  type Runtime,
} from "../runtime/runtime.js";

/** What onnxruntime-node and onnxruntime-web have in common. */
export type OrtModule = Pick<typeof Ort, "InferenceSession" | "Tensor" | "env">;

/** The tensor of the runtime behind a device tensor. */
interface OrtDeviceTensor extends DeviceTensor {
  readonly ort: Ort.Tensor;
}

function ofHost(ort: OrtModule, value: Tensor): OrtDeviceTensor {
  return {
    dtype: value.dtype,
    shape: value.shape,
    ort: new ort.Tensor(value.dtype as "float32", value.data as Float32Array, value.shape),
  };
}

function ofOrt(value: Ort.Tensor): OrtDeviceTensor {
  return { dtype: value.type as DType, shape: value.dims, ort: value };
}

/** A runtime on one of ONNX Runtime's CPU providers. */
export function ortRuntime(
  name: string,
  version: string,
  ort: OrtModule,
  session: Ort.InferenceSession.SessionOptions,
): Runtime {
  return {
    name,
    version,
    compile: (graph, options) => compile(ort, name, graph, session, options),
    upload: (value) => ofHost(ort, value),
    async download(value) {
      const data = (await (value as OrtDeviceTensor).ort.getData()) as TensorData;
      return { dtype: value.dtype, shape: value.shape, data } as Tensor;
    },
    dispose: (value) => (value as OrtDeviceTensor).ort.dispose(),
    // the CPU providers alone come through here
    host: {
      read: (value) => ({ ...typeOf(value), data: (value as OrtDeviceTensor).ort.data }) as Tensor,
      wrap: (value) => ofHost(ort, value),
    },
  };
}

async function compile(
  ort: OrtModule,
  runtime: string,
  graph: Graph,
  session: Ort.InferenceSession.SessionOptions,
  options: CompileOptions = {},
): Promise<Executable> {
  const native = fuse(decompose(graph, hasOrtKernel));
  const bytes = encode(native);
  const threads = options.threads ?? 1;
  let executable: Ort.InferenceSession;
  try {
    executable = await ort.InferenceSession.create(bytes, {
      logSeverityLevel: 3,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // it turns x σ(x) into an operator that has no kernel in float64 (1.30)
      extra: { optimization: { disable_specified_optimizers: "QuickGeluFusion" } },
      ...session,
    });
  } catch (cause) {
    throw new CompileError(
      `${runtime} cannot run the graph "${graph.name}" (${countNodes(native)} nodes): ${(cause as Error).message}`,
      { cause },
    );
  }
  const inputs = typesOf(graph.inputs.map((value) => [value.name!, value]));
  const outputs = typesOf(graph.outputs.map(({ name, value }) => [name, value]));
  let released = false;
  return {
    inputs,
    outputs,
    async run(feeds) {
      if (released) throw new RunError(`"${graph.name}" has been released; compile it again to run it.`);
      checkInputs(inputs, feeds);
      const given: Record<string, Ort.Tensor> = {};
      for (const name in feeds) given[name] = (feeds[name] as OrtDeviceTensor).ort;
      let results: Ort.InferenceSession.ReturnType;
      try {
        results = await executable.run(given);
      } catch (cause) {
        throw new RunError(`${runtime} failed while running "${graph.name}": ${(cause as Error).message}`, {
          cause,
        });
      }
      const tensors: Record<string, DeviceTensor> = {};
      for (const name in results) tensors[name] = ofOrt(results[name]!);
      return tensors as DeviceTensors;
    },
    async release() {
      if (released) return;
      released = true;
      await executable.release();
    },
  };
}

function typeOf({ dtype, shape }: DeviceTensor) {
  return { dtype, shape };
}

function typesOf(entries: readonly (readonly [string, ValueType])[]): Record<string, ValueType> {
  return Object.fromEntries(entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}
