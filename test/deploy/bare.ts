import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { type DType, numbers, type Tensor, tensor } from "../../src/core/tensor.js";

// Files run in ONNX Runtime as anybody runs them: default sessions, and nothing of revort in between.

export interface BareSession {
  readonly inputs: readonly string[];
  readonly run: (inputs: Readonly<Record<string, Tensor>>) => Promise<Record<string, Tensor>>;
}

export async function bareSession(bytes: Uint8Array): Promise<BareSession> {
  const ort = await import("onnxruntime-node");
  // it warns of every input that may be left out
  const session: InferenceSession = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  return {
    inputs: session.inputNames,
    async run(inputs) {
      const feeds = Object.entries(inputs).map(([name, { dtype, data, shape }]) => [
        name,
        new ort.Tensor(dtype as "float32", data as Float32Array, shape) as OrtTensor,
      ]);
      const results = await session.run(Object.fromEntries(feeds));
      return Object.fromEntries(
        Object.entries(results).map(([name, { type, dims, data }]) => [
          name,
          { dtype: type as DType, shape: [...dims], data } as Tensor,
        ]),
      );
    },
  };
}

/** A scalar, or a vector, of float64. */
export function float(values: number | readonly number[]): Tensor {
  return typeof values === "number"
    ? tensor("float64", [], [values])
    : tensor("float64", [values.length], values);
}

/** The numbers of a tensor's row along its leading axis. */
export function rowOf(values: Tensor, row: number): number[] {
  const size = numbers(values).length / values.shape[0]!;
  return numbers(values).slice(row * size, (row + 1) * size);
}
