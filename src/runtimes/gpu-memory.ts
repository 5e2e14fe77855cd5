import type * as Ort from "onnxruntime-common";
import type { Tensor } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import type { DeviceTensor } from "../runtime/runtime.js";
import { inLine, openOnGpu, viewOnGpu } from "./gpu-session.js";
import { dataOf, hostTensor, type OrtModule, type Session, sessionOptions, typeOf } from "./ort.js";

/** A tensor in host memory or on the GPU; what is wanted more than once moves there. */
export interface GpuTensor extends DeviceTensor {
  ort: Ort.Tensor;
  /** whether it has gone into a graph from host memory */
  wasGiven: boolean;
  isDisposed: boolean;
}

/** Where a session leaves an output. */
export type Place = "cpu" | "gpu-buffer";

/**
 * Where tensors of a type live. Integers and truth values stay with the processor, whose control flow they steer: the
 * GPU has no 64-bit integers.
 */
export function placeOf({ dtype }: Pick<DeviceTensor, "dtype">): Place {
  return dtype === "float32" ? "gpu-buffer" : "cpu";
}

/**
 * Tensors on a GPU. They cross over as input and output of a graph that does nothing: onnxruntime-node has no other way
 * (1.30), and a tensor that onnxruntime-web downloads itself is not on the GPU any more.
 */
export class GpuMemory {
  readonly #crossings = new Map<Place, Promise<Session>>();
  readonly #forgotten = new FinalizationRegistry((value: Ort.Tensor) => this.#free(value));

  constructor(readonly ort: OrtModule) {}

  upload(value: Tensor): GpuTensor {
    return this.take(hostTensor(this.ort, value));
  }

  /** What a session has left, or what has been made for one. */
  take(ort: Ort.Tensor): GpuTensor {
    const taken = { ...typeOf(ort), ort, wasGiven: false, isDisposed: false };
    this.#watch(taken);
    return taken;
  }

  /** The tensor as a session takes it: on the GPU if it comes from host memory for the second time. */
  async give(value: GpuTensor): Promise<Ort.Tensor> {
    if (value.isDisposed) throw new Error("an input has been disposed of");
    const { ort: found, wasGiven } = value;
    value.wasGiven = true;
    if (!wasGiven || found.location !== "cpu" || placeOf(value) === "cpu" || found.size === 0) return found;
    const moved = await this.#carry(found, "gpu-buffer");
    // two runs at once may both move it
    if (value.isDisposed || value.ort !== found) this.#free(moved);
    else {
      value.ort = moved;
      this.#watch(value);
    }
    return value.ort;
  }

  async download({ ort, dtype, shape }: GpuTensor): Promise<Tensor> {
    const data = await dataOf(ort.location === "cpu" ? ort : await this.#carry(ort, "cpu"));
    return { dtype, shape, data } as Tensor;
  }

  dispose(value: GpuTensor): void {
    if (value.isDisposed) return;
    value.isDisposed = true;
    this.#forgotten.unregister(value);
    this.#free(value.ort);
  }

  /** A session that hands float32 of any length over to a place. */
  crossing(to: Place): Promise<Session> {
    let session = this.#crossings.get(to);
    if (session === undefined) {
      const b = new Builder();
      const graph = b.graph({ same: b.input("given", "float32", ["length"]) }, `to ${to}`);
      session = openOnGpu(this.ort, graph, { ...sessionOptions(graph, 1), preferredOutputLocation: to });
      this.#crossings.set(to, session);
    }
    return session;
  }

  async #carry(value: Ort.Tensor, to: Place): Promise<Ort.Tensor> {
    const session = await this.crossing(to);
    const { same } = await session.run({ given: this.#shaped(value, [value.size]) });
    return this.#shaped(same!, value.dims);
  }

  #shaped(value: Ort.Tensor, dims: readonly number[]): Ort.Tensor {
    return value.location === "cpu" ? value.reshape(dims) : viewOnGpu(this.ort, value, dims);
  }

  #watch(value: GpuTensor): void {
    if (value.ort.location !== "cpu") this.#forgotten.register(value, value.ort, value);
  }

  #free(value: Ort.Tensor): void {
    inLine(() => value.dispose());
  }
}
