import { ortHere } from "../../core/place.js";
import { type DType, sizeOf, type TensorData } from "../../core/tensor.js";
import type { Graph } from "../../graph/graph.js";
import { CompileError, type DeviceTensor, type DeviceTensors, RunError } from "../../runtime/runtime.js";
import type { Program, Slot } from "./program.js";
import type { Report, RowCount } from "./unit.js";
import { bytesOf } from "./view.js";

/** A tensor of the compiled runtime. It holds the typed array itself: to ask a small one for its buffer is slow. */
export interface HostTensor extends DeviceTensor {
  readonly data: TensorData;
}

/** Memory as each dtype sees it. */
type Views = { readonly [dtype in DType]: TensorData };

function viewsOf(buffer: ArrayBuffer): Views {
  const [ints, bytes] = [new Int32Array(buffer), new Uint8Array(buffer)];
  return {
    ...{ float32: new Float32Array(buffer), float64: new Float64Array(buffer) },
    ...{ int8: new Int8Array(buffer), int16: new Int16Array(buffer), int32: ints },
    ...{ int64: new BigInt64Array(buffer), uint64: new BigUint64Array(buffer) },
    ...{ uint8: bytes, bool: bytes, uint16: new Uint16Array(buffer), uint32: new Uint32Array(buffer) },
  };
}

/** A program in memory, ready to run. */
export interface Loaded {
  readonly program: Program;
  readonly views: Views;
  readonly words: Int32Array;
  readonly run: () => void;
  /** what lies in the input slots, so that it need not be written again */
  readonly present: (HostTensor | null)[];
  readonly outputs: readonly OutputPlace[];
}

/** Where an output is read. */
interface OutputPlace {
  readonly name: string;
  readonly dtype: DType;
  /** memory as the dtype sees it, and where in it */
  readonly view: TensorData;
  readonly from: number;
  /** elements, with as many rows as there is room for */
  readonly count: number;
  readonly slot: Slot;
}

/** What a loop did against expectation. */
export interface Surprise {
  readonly report: Report;
  /** how often it ran */
  readonly trips: number;
}

/** @throws {CompileError} if the engine refuses: the graph is too long for a function, or its tensors for a memory */
export async function load(graph: Graph, program: Program): Promise<Loaded> {
  let memory: WebAssembly.Memory;
  let instance: WebAssembly.Instance;
  try {
    memory = new WebAssembly.Memory({ initial: Math.ceil(program.bytes / 65536) });
    ({ instance } = await WebAssembly.instantiate(program.module, { jit: { memory } }));
  } catch (cause) {
    throw new CompileError(
      `The WebAssembly engine cannot load what jit made of "${graph.name}" (${program.module.length} bytes of code, ` +
        `${program.bytes} of memory): ${(cause as Error).message}. Use the runtime ${ortHere()}.`,
      { cause },
    );
  }
  const views = viewsOf(memory.buffer);
  for (const { address, bytes } of program.initial) (views.uint8 as Uint8Array).set(bytes, address);
  return {
    program,
    views,
    words: views.int32 as Int32Array,
    run: instance.exports.run as () => void,
    present: program.inputs.map(() => null),
    outputs: graph.outputs.map(({ name, value: { dtype } }, i) => {
      const slot = program.outputs[i]!;
      const from = slot.address / bytesOf(dtype);
      return { name, dtype, view: views[dtype], from, count: sizeOf(slot.shape), slot };
    }),
  };
}

/** Whether inputs fit into the slots of a program. */
export function fits({ inputs }: Program, feeds: readonly HostTensor[]): boolean {
  return inputs.every((slot, i) => {
    const { shape } = feeds[i]!;
    // those of one open dimension have as many rows
    if (slot.leader !== i && shape[0] !== feeds[slot.leader]!.shape[0]) return false;
    for (let axis = 0; axis < shape.length; axis++) {
      const room = slot.shape[axis]!;
      if (axis === 0 && slot.rows !== null ? shape[axis]! > room : shape[axis] !== room) return false;
    }
    return true;
  });
}

/**
 * One run, from input slots to copies of the output slots.
 *
 * @returns the outputs; or what loops did against expectation, which means that it has to run again
 * @throws {RunError} for an index out of range, or an integer division by zero
 */
export function execute(
  graph: Graph,
  loaded: Loaded,
  feeds: readonly HostTensor[],
): DeviceTensors | readonly Surprise[] {
  const { program, views, words, run, present } = loaded;
  feeds.forEach((feed, i) => {
    if (present[i] === feed) return;
    const { address, rows } = program.inputs[i]!;
    (views[feed.dtype] as Float64Array).set(feed.data as Float64Array, address / bytesOf(feed.dtype));
    if (rows !== null) words[rows.words[0]! / 4] = feed.shape[0]!;
    present[i] = feed;
  });
  for (const { address, initial } of program.reports) words[address / 4] = initial;
  let failure: unknown = null;
  try {
    run();
  } catch (cause) {
    failure = cause;
  }
  const surprises = surprisesOf(program, words);
  // a surprise may be why it failed, and means another run in any case
  if (surprises.length > 0) return surprises;
  if (failure !== null) {
    throw new RunError(
      `jit failed while running "${graph.name}": ${(failure as Error).message} ` +
        "(an index out of range, or an integer division by zero).",
      { cause: failure },
    );
  }
  const outputs: Record<string, HostTensor> = {};
  for (const { name, dtype, view, slot, from, count } of loaded.outputs) {
    const { rows } = slot;
    if (rows === null) outputs[name] = { dtype, shape: slot.shape, data: view.slice(from, from + count) };
    else {
      const shape = [rowsNow(rows, words), ...slot.shape.slice(1)];
      outputs[name] = { dtype, shape, data: view.slice(from, from + sizeOf(shape)) };
    }
  }
  return outputs;
}

function surprisesOf({ reports }: Program, words: Int32Array): Surprise[] {
  const surprises: Surprise[] = [];
  for (const report of reports) {
    const trips = words[report.address / 4]!;
    if (trips !== report.initial) surprises.push({ report, trips });
    // what a loop found without its rows says nothing of those after it
    if (report.source !== null && trips !== report.initial) break;
  }
  return surprises;
}

function rowsNow({ words: addresses, more }: RowCount, words: Int32Array): number {
  return addresses.reduce((sum, address) => sum + words[address / 4]!, more);
}
