import type * as Ort from "onnxruntime-common";
import { encode } from "../graph/encode.js";
import type { Graph } from "../graph/graph.js";
import type { OrtModule, Session } from "./ort.js";

/** What is asked for while something else is done, which ONNX Runtime with a GPU cannot take (web, 1.30), waits here. */
let last: Promise<unknown> = Promise.resolve();

/** Does something when all that was asked for before is done. */
export function inLine<T>(task: () => T | Promise<T>): Promise<T> {
  const turn = last.then(task);
  last = turn.catch(() => {});
  return turn;
}

/** Opens a session on the WebGPU provider. */
export async function openOnGpu(
  ort: OrtModule,
  graph: Graph,
  options: Ort.InferenceSession.SessionOptions,
): Promise<Session> {
  const session = await inLine(() =>
    ort.InferenceSession.create(encode(graph), {
      ...options,
      executionProviders: ["webgpu"],
      // it turns what the GPU gathers into a Split, which the processor then runs (1.30)
      extra: { optimization: { disable_specified_optimizers: "GatherSliceToSplitFusion" } },
    }),
  );
  return new GpuSession(ort, session);
}

/** A session that stays when it is released until what it left on the GPU is freed, which needs its allocator (1.30). */
class GpuSession implements Session {
  #left = 0;
  #isReleased = false;
  #hasEnded = false;

  constructor(
    readonly ort: OrtModule,
    readonly session: Session,
  ) {}

  run(feeds: Ort.InferenceSession.FeedsType): Promise<Ort.InferenceSession.ReturnType> {
    return inLine(async () => {
      const results = await this.session.run(feeds);
      const entries = Object.entries(results).map(([name, value]) => [name, this.#leave(value)]);
      return Object.fromEntries(entries);
    });
  }

  release(): Promise<void> {
    return inLine(() => {
      this.#isReleased = true;
      return this.#endWhenEmpty();
    });
  }

  #leave(value: Ort.Tensor): Ort.Tensor {
    if (value.location === "cpu") return value;
    this.#left++;
    return viewOnGpu(this.ort, value, value.dims, () => {
      this.#left--;
      inLine(() => this.#endWhenEmpty());
    });
  }

  async #endWhenEmpty(): Promise<void> {
    if (!this.#isReleased || this.#left > 0 || this.#hasEnded) return;
    // another session may have its number by now
    this.#hasEnded = true;
    await this.session.release();
  }
}

/** The same float32 memory in another shape; it is freed with the view. */
export function viewOnGpu(
  ort: OrtModule,
  value: Ort.Tensor,
  dims: readonly number[],
  freed: () => void = () => {},
): Ort.Tensor {
  const dispose = () => {
    value.dispose();
    freed();
  };
  return ort.Tensor.fromGpuBuffer(value.gpuBuffer, { dataType: "float32", dims, dispose });
}
