import { type DType, sizeOf, type Tensor, type TensorData } from "../../core/tensor.js";
import { type Graph, nodesOf, subgraphsOf, type ValueType } from "../../graph/graph.js";
import { checkInputs } from "../../runtime/inputs.js";
import {
  CompileError,
  type DeviceTensor,
  type DeviceTensors,
  type Executable,
  RunError,
  type Runtime,
  RuntimeUnavailableError,
} from "../../runtime/runtime.js";
import { version } from "../../version.js";
import { hasFusedMultiplyAdd, hasVectors } from "./engine.js";
import { type Program, programOf } from "./program.js";
import { isKnown } from "./rewrites.js";
import { bytesOf } from "./view.js";

interface HostTensor extends DeviceTensor {
  readonly bytes: Uint8Array;
}

/** How many specialisations of a graph are kept; one is made for each combination of sizes. */
const keptSpecialisations = 64;

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
      "This WebAssembly engine has no fused multiply-add. Use jit({ fused: false }), or Node 22 or newer.",
    );
  }
  if (!hasVectors()) {
    throw new RuntimeUnavailableError(
      "The compiled runtime needs WebAssembly with SIMD, which this engine lacks. Use the runtime ort-cpu or ort-wasm.",
    );
  }
  return {
    name: "jit",
    version,
    compile: (graph) => compile(graph, fused),
    upload: ({ dtype, shape, data }): HostTensor => ({
      dtype,
      shape: [...shape],
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
    }),
    async download(value) {
      const { dtype, shape, bytes } = value as HostTensor;
      return { dtype, shape, data: dataOf(dtype, bytes.slice().buffer) } as Tensor;
    },
    dispose() {},
    host: {
      read(value) {
        const { dtype, shape, bytes } = value as HostTensor;
        const { buffer, byteOffset, byteLength } = bytes as Uint8Array<ArrayBuffer>;
        const whole = byteOffset === 0 && byteLength === buffer.byteLength;
        return { dtype, shape, data: dataOf(dtype, whole ? buffer : bytes.slice().buffer) } as Tensor;
      },
      wrap: ({ dtype, shape, data }): HostTensor => ({
        dtype,
        shape: [...shape],
        bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      }),
    },
  };
}

function dataOf(dtype: DType, buffer: ArrayBuffer): TensorData {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "int8":
      return new Int8Array(buffer);
    case "int16":
      return new Int16Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "int64":
      return new BigInt64Array(buffer);
    case "uint16":
      return new Uint16Array(buffer);
    case "uint32":
      return new Uint32Array(buffer);
    case "uint64":
      return new BigUint64Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}

/** A program in memory, ready to run. */
interface Loaded {
  readonly program: Program;
  readonly memory: Uint8Array;
  readonly words: Int32Array;
  readonly run: () => void;
  /** what lies in the input slots, so that it need not be written again */
  readonly present: (HostTensor | null)[];
}

/** @throws {CompileError} if the engine refuses: the graph is too long for a function, or its tensors for a memory */
async function load(graph: Graph, program: Program): Promise<Loaded> {
  let memory: WebAssembly.Memory;
  let instance: WebAssembly.Instance;
  try {
    memory = new WebAssembly.Memory({ initial: Math.ceil(program.bytes / 65536) });
    ({ instance } = await WebAssembly.instantiate(program.module, { jit: { memory } }));
  } catch (cause) {
    throw new CompileError(
      `The WebAssembly engine cannot load what jit made of "${graph.name}" (${program.module.length} bytes of code, ` +
        `${program.bytes} of memory): ${(cause as Error).message}. Use the runtime ort-cpu.`,
      { cause },
    );
  }
  const bytes = new Uint8Array(memory.buffer);
  for (const { address, bytes: data } of program.initial) bytes.set(data, address);
  return {
    program,
    memory: bytes,
    words: new Int32Array(memory.buffer),
    run: instance.exports.run as () => void,
    present: program.inputs.map(() => null),
  };
}

async function compile(graph: Graph, fused: boolean): Promise<Executable> {
  checkOperators(graph);
  const types = (entries: readonly (readonly [string, ValueType])[]) =>
    Object.fromEntries(entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
  const inputs = types(graph.inputs.map((value) => [value.name!, value]));
  const outputs = types(graph.outputs.map(({ name, value }) => [name, value]));
  const loaded = new Map<string, Promise<Loaded>>();
  /** trips that loops were found to make, by the shapes of the inputs */
  const trips = new Map<string, Map<number, number>>();
  let released = false;

  const specialised = (shapes: readonly (readonly number[])[], known: ReadonlyMap<number, number>) => {
    const key = JSON.stringify([shapes, [...known]]);
    const ready = loaded.get(key);
    if (ready !== undefined) return ready;
    const fresh = load(graph, write(graph, shapes, known, fused));
    loaded.set(key, fresh);
    if (loaded.size > keptSpecialisations) loaded.delete(loaded.keys().next().value!);
    return fresh;
  };
  if (graph.inputs.every(({ shape }) => shape.every((dim) => typeof dim === "number"))) {
    await specialised(
      graph.inputs.map(({ shape }) => shape as number[]),
      new Map(),
    );
  }

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
      const feeds = graph.inputs.map(({ name }) => given[name!] as HostTensor);
      const shapes = feeds.map(({ shape }) => shape);
      const key = JSON.stringify(shapes);
      let known = trips.get(key) ?? new Map<number, number>();
      for (let attempt = 0; attempt < 4; attempt++) {
        const { outputs: results, surprises } = execute(graph, await specialised(shapes, known), feeds);
        if (surprises.size === 0) {
          trips.set(key, known);
          return results;
        }
        known = new Map([...known, ...surprises]);
      }
      throw new RunError(
        `A Loop of "${graph.name}" stacks scans of a length that changes within one run, which jit cannot compile. Use ort-cpu.`,
      );
    },
    async release() {
      released = true;
      loaded.clear();
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

function write(
  graph: Graph,
  shapes: readonly (readonly number[])[],
  trips: ReadonlyMap<number, number>,
  fused: boolean,
): Program {
  try {
    return programOf(graph, { shapes, trips }, fused);
  } catch (cause) {
    if (cause instanceof CompileError) throw cause;
    throw new CompileError(`jit cannot compile the graph "${graph.name}": ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** One run, from input slots to copies of the output slots, with what loops did against expectation. */
function execute(
  graph: Graph,
  { program, memory, words, run, present }: Loaded,
  feeds: readonly HostTensor[],
): { outputs: DeviceTensors; surprises: Map<number, number> } {
  feeds.forEach((feed, i) => {
    if (present[i] === feed) return;
    memory.set(feed.bytes, program.inputs[i]!.address);
    present[i] = feed;
  });
  for (const { address, expected } of program.reports) words[address / 4] = expected;
  let failure: unknown = null;
  try {
    run();
  } catch (cause) {
    failure = cause;
  }
  const surprises = new Map<number, number>();
  for (const { loop, address, expected } of program.reports) {
    if (words[address / 4] !== expected) surprises.set(loop, words[address / 4]!);
  }
  // a surprise may be why it failed, and means another run in any case
  if (surprises.size > 0) return { outputs: {}, surprises };
  if (failure !== null) {
    throw new RunError(
      `jit failed while running "${graph.name}": ${(failure as Error).message} ` +
        "(an index out of range, or an integer division by zero).",
      { cause: failure },
    );
  }
  const outputs: Record<string, HostTensor> = {};
  graph.outputs.forEach(({ name, value: { dtype } }, i) => {
    const { address, shape } = program.outputs[i]!;
    const bytes = memory.slice(address, address + sizeOf(shape) * bytesOf(dtype));
    outputs[name] = { dtype, shape, bytes };
  });
  return { outputs, surprises };
}
