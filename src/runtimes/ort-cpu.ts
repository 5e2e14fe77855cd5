import type * as Ort from "onnxruntime-common";
import type { Tensor } from "../core/tensor.js";
import { encode } from "../graph/encode.js";
import { decompose } from "../graph/passes.js";
import { eluByVectors } from "../runtime/elu.js";
import { fuse } from "../runtime/fuse.js";
import { isBestOnOrt } from "../runtime/kernels.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import { compile, dataOf, hostTensor, type OrtModule, type Provider, typeOf } from "./ort.js";

/** The tensor of ONNX Runtime behind a device tensor: host memory. */
interface HostTensor extends DeviceTensor {
  readonly ort: Ort.Tensor;
}

/** A runtime on one of ONNX Runtime's CPU providers. */
export function ortCpuRuntime(
  name: string,
  version: string,
  ort: OrtModule,
  executionProviders: readonly string[],
): Runtime {
  const held = (value: Ort.Tensor): HostTensor => ({ ...typeOf(value), ort: value });
  const upload = (value: Tensor): DeviceTensor => held(hostTensor(ort, value));
  const provider: Provider<HostTensor> = {
    name,
    lower: (graph) => fuse(eluByVectors(decompose(graph, isBestOnOrt))),
    open: (graph, options) => ort.InferenceSession.create(encode(graph), { ...options, executionProviders }),
    give: (value) => value.ort,
    take: held,
  };
  return {
    name,
    version,
    compile: (graph, options) => compile(provider, graph, options),
    upload,
    async download(value) {
      const { dtype, shape, ort } = value as HostTensor;
      return { dtype, shape, data: await dataOf(ort) } as Tensor;
    },
    dispose: (value) => (value as HostTensor).ort.dispose(),
    host: {
      read(value) {
        const { dtype, shape, ort } = value as HostTensor;
        return { dtype, shape, data: ort.data } as Tensor;
      },
      wrap: upload,
    },
  };
}
