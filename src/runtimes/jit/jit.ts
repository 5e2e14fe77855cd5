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
import type { HostTensor } from "./loaded.js";
import { isKnown } from "./rewrites.js";
import { Specialisations } from "./specialisations.js";

/**
 * The compiled runtime: each graph becomes one WebAssembly module, with its memory planned beforehand. Small tensors
 * live in locals, so that tiny fields cost what their arithmetic costs. float64 and float32, in Node and the browser.
 *
 * @throws {RuntimeUnavailableError} if this machine has no WebAssembly with vectors
 */
export function jit(): Runtime {
  if (typeof WebAssembly === "undefined" || !WebAssembly.validate(vectorModule)) {
    throw new RuntimeUnavailableError(
      "The compiled runtime needs WebAssembly with SIMD, which this engine lacks. Use the runtime ort-cpu or ort-wasm.",
    );
  }
  return {
    name: "jit",
    version,
    compile,
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

/** The smallest module that uses a vector. */
const vectorModule = Uint8Array.from([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15],
  ...[253, 98, 11],
]);

async function compile(graph: Graph): Promise<Executable> {
  checkOperators(graph);
  const types = (entries: readonly (readonly [string, ValueType])[]) =>
    Object.fromEntries(entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
  const inputs = types(graph.inputs.map((value) => [value.name!, value]));
  const outputs = types(graph.outputs.map(({ name, value }) => [name, value]));
  const specialisations = new Specialisations(graph);
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
        `jit cannot run the graph "${graph.name}": it has no code for the operator ${op.type}. Use the runtime ort-cpu.`,
      );
    }
    subgraphsOf(attributes).forEach(checkOperators);
  }
}
