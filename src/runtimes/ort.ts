import type * as Ort from "onnxruntime-common";
import type { DType, Tensor, TensorData } from "../core/tensor.js";
import { countNodes, type Graph, nodesOf, subgraphsOf, type ValueType } from "../graph/graph.js";
import { checkInputs } from "../runtime/inputs.js";
import {
  CompileError,
  type CompileOptions,
  type DeviceTensor,
  type DeviceTensors,
  type Executable,
  RunError,
} from "../runtime/runtime.js";

/** What onnxruntime-node and onnxruntime-web have in common. */
export type OrtModule = Pick<typeof Ort, "InferenceSession" | "Tensor" | "env">;

/** The part of a session that is used here. */
export type Session = Pick<Ort.InferenceSession, "run" | "release">;

/** What an execution provider does in its own way. `Held` is a tensor as its runtime hands it out. */
export interface Provider<Held extends DeviceTensor> {
  /** name of the runtime */
  readonly name: string;
  /** The same graph in operators that the provider has. @throws {CompileError} where there are none */
  lower(graph: Graph): Graph;
  open(graph: Graph, options: Ort.InferenceSession.SessionOptions): Promise<Session>;
  give(value: Held): Ort.Tensor | Promise<Ort.Tensor>;
  take(value: Ort.Tensor): Held;
}

/** Turns x σ(x) into an operator that has no kernel in float64 (1.30). */
const unwanted = ["QuickGeluFusion"];

/**
 * Optimisers that take constants for float32 (1.30), which a graph in float64 must not meet: one hands factors beside a
 * MatMul to an operator that keeps them so, wrong in the eighth digit; one drops factors that round to 1 and summands
 * that round to 0.
 */
const rounding = ["MatMulScaleFusion", "NoopElimination"];

/** What every session is opened with; onnxruntime-web adds to it. */
export function sessionOptions(graph: Graph, threads: number): Ort.InferenceSession.SessionOptions {
  return optionsOf(hasFloat64(graph), threads);
}

/** What a session of a file is opened with, of which nobody knows what is in it. */
export function fileSessionOptions(threads: number): Ort.InferenceSession.SessionOptions {
  return optionsOf(true, threads);
}

function optionsOf(exact: boolean, threads: number): Ort.InferenceSession.SessionOptions {
  return {
    logSeverityLevel: 3,
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    extra: {
      optimization: {
        disable_specified_optimizers: [...unwanted, ...(exact ? rounding : [])].join(";"),
      },
    },
  };
}

/** Whether anything in the graph is float64. */
function hasFloat64(graph: Graph): boolean {
  return (
    graph.inputs.some(({ dtype }) => dtype === "float64") ||
    nodesOf(graph).some(
      ({ outputs, attributes }) =>
        outputs.some(({ dtype }) => dtype === "float64") || subgraphsOf(attributes).some(hasFloat64),
    )
  );
}

export function hostTensor(ort: OrtModule, { dtype, shape, data }: Tensor): Ort.Tensor {
  return new ort.Tensor(dtype as "float32", data as Float32Array, shape);
}

export function typeOf({ type, dims }: Ort.Tensor): DeviceTensor {
  return { dtype: type as DType, shape: dims };
}

export async function dataOf(value: Ort.Tensor): Promise<TensorData> {
  return (await value.getData()) as TensorData;
}

/** Compiles a graph for a provider. @throws {CompileError} */
export async function compile<Held extends DeviceTensor>(
  provider: Provider<Held>,
  graph: Graph,
  { threads = 1 }: CompileOptions = {},
): Promise<Executable> {
  const { name: runtime } = provider;
  const native = provider.lower(graph);
  let session: Session;
  try {
    session = await provider.open(native, sessionOptions(native, threads));
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
      let results: Ort.InferenceSession.ReturnType;
      try {
        const given: Record<string, Ort.Tensor> = {};
        for (const name in feeds) given[name] = await provider.give(feeds[name] as Held);
        results = await session.run(given);
      } catch (cause) {
        throw new RunError(`${runtime} failed while running "${graph.name}": ${(cause as Error).message}`, {
          cause,
        });
      }
      const tensors: Record<string, DeviceTensor> = {};
      for (const name in results) tensors[name] = provider.take(results[name]!);
      return tensors as DeviceTensors;
    },
    async release() {
      if (released) return;
      released = true;
      await session.release();
    },
  };
}

function typesOf(entries: readonly (readonly [string, ValueType])[]): Record<string, ValueType> {
  return Object.fromEntries(entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}
