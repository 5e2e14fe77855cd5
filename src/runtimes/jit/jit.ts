import { ortHere } from "../../core/place.js";
import { type DType, emptyData, type Tensor, type TensorData } from "../../core/tensor.js";
import { type Graph, nodesOf, subgraphsOf, type ValueType } from "../../graph/graph.js";
import { checkInputs } from "../../runtime/inputs.js";
import {
  CompileError,
  type Executable,
  RunError,
  type Runtime,
  RuntimeUnavailableError,
} from "../../runtime/runtime.js";
import { version } from "../../version.js";
import { hasFusedMultiplyAdd, hasVectors } from "./engine.js";
import type { HostTensor } from "./loaded.js";
import { largestMemory } from "./plan.js";
import { isKnown } from "./rewrites.js";
import { Specialisations } from "./specialisations.js";

export interface JitOptions {
  /**
   * Whether products of matrices and elementary functions use the fused multiply-add. By default where the engine has it:
   * it is faster and rounds less often. Without it the same bits come out on every machine.
   */
  readonly fused?: boolean;
}

/**
 * The compiled runtime: each graph becomes one WebAssembly module, with its memory planned beforehand. Small tensors
 * live in locals, so that tiny fields cost what their arithmetic costs. float64 and float32, in Node and the browser.
 *
 * @throws {RuntimeUnavailableError} if this machine has no WebAssembly with vectors, or no fused multiply-add where that is
 *   asked for
 */
export function jit({ fused = hasFusedMultiplyAdd() }: JitOptions = {}): Runtime {
  if (fused && !hasFusedMultiplyAdd()) {
    throw new RuntimeUnavailableError(
      "This WebAssembly engine has no fused multiply-add. Use jit({ fused: false }), or a newer engine (Node 22, Chrome 114).",
    );
  }
  if (!hasVectors()) {
    throw new RuntimeUnavailableError(
      `The compiled runtime needs WebAssembly with SIMD, which this engine lacks. Use the runtime ${ortHere()}.`,
    );
  }
  return {
    name: "jit",
    version,
    memory: largestMemory,
    compile: (graph) => compile(graph, fused),
    upload: ({ dtype, shape, data }): HostTensor => ({ dtype, shape: [...shape], data: copied(dtype, data) }),
    async download(value) {
      const { dtype, shape, data } = value as HostTensor;
      return { dtype, shape, data: copied(dtype, data) } as Tensor;
    },
    dispose() {},
    host: {
      read: (value) => value as HostTensor as Tensor,
      wrap: (value) => value,
    },
  };
}

/** A copy; `slice` of what is derived from a typed array, as Node's Buffer, may be none. */
function copied(dtype: DType, data: TensorData): TensorData {
  const copy = emptyData(dtype, data.length) as TensorData;
  (copy as Float64Array).set(data as Float64Array);
  return copy;
}

async function compile(graph: Graph, fused: boolean): Promise<Executable> {
  checkOperators(graph);
  const types = (entries: readonly (readonly [string, ValueType])[]) =>
    Object.fromEntries(entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
  const inputs = types(graph.inputs.map((value) => [value.name!, value]));
  const outputs = types(graph.outputs.map(({ name, value }) => [name, value]));
  const specialisations = new Specialisations(graph, fused);
  const names = graph.inputs.map(({ name }) => name!);
  let released = false;
  await specialisations.prepare();

  return {
    inputs,
    outputs,
    async run(given) {
      if (released) {
        throw new RunError(
          `The graph "${graph.name}" was released and cannot run any more. Compile it again.`,
        );
      }
      checkInputs(inputs, given);
      return specialisations.run(names.map((name) => given[name] as HostTensor));
    },
    async release() {
      released = true;
      specialisations.clear();
    },
  };
}

function checkOperators(graph: Graph): void {
  for (const { op, attributes } of nodesOf(graph)) {
    if (!isKnown(op)) {
      throw new CompileError(
        `jit cannot run the graph "${graph.name}": it has no code for the operator ${op.type}. Use the runtime ${ortHere()}.`,
      );
    }
    subgraphsOf(attributes).forEach(checkOperators);
  }
}
