import type { Tensor } from "../../core/tensor.js";
import type { Graph, Value } from "../../graph/graph.js";
import { MemoryPlan } from "./plan.js";
import { contiguous, type View } from "./view.js";
import { type Code, type ValType, WasmModule } from "./wasm/index.js";

/** float64 numbers in memory that never change; their count is a power of two. */
export interface Table {
  readonly address: number;
  readonly size: number;
}

/** Everything that the functions of one module share while they are written. */
export class Unit {
  readonly module = new WasmModule();
  readonly plan = new MemoryPlan();
  /** what memory holds before the first run */
  readonly initial: { readonly address: number; readonly bytes: Uint8Array }[] = [];
  /** loops whose scans have a length that is known only when they have run: where they report it */
  readonly reports: { readonly loop: number; readonly address: number; readonly expected: number }[] = [];
  readonly #pool = new Map<string, number>();
  readonly #constants = new Map<Value, View>();
  readonly #functions = new Map<string, number>();
  readonly #tables = new Map<string, Table>();

  /**
   * @param loops  how often the loops run of which that is not known from the graph
   * @param fused  whether there is a fused multiply-add
   */
  constructor(
    readonly loops: ReadonlyMap<Graph, number>,
    readonly fused: boolean,
  ) {}

  /** The address of 16 bytes that never change. */
  vectorConstant(bytes: Uint8Array): number {
    const key = String(bytes);
    const known = this.#pool.get(key);
    if (known !== undefined) return known;
    const address = this.plan.reserve(16);
    this.initial.push({ address, bytes: bytes.slice() });
    this.#pool.set(key, address);
    return address;
  }

  /** A constant of the graph, in memory. */
  constant(value: Value): View {
    const known = this.#constants.get(value);
    if (known !== undefined) return known;
    const view = this.table(value.constant!);
    this.#constants.set(value, view);
    return view;
  }

  /** A tensor that never changes, in memory. */
  table({ dtype, shape, data }: Tensor): View {
    const address = this.plan.reserve(data.byteLength);
    this.initial.push({
      address,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    });
    return contiguous(dtype, shape, address, null);
  }

  /** A table of numbers, made when it is first asked for. Beyond them, up to a power of two, it holds the last one. */
  numbers(name: string, make: () => Float64Array): Table {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const values = make();
    const size = 2 ** Math.ceil(Math.log2(values.length));
    const data = new Float64Array(size).fill(values.at(-1)!);
    data.set(values);
    const address = this.plan.reserve(data.byteLength);
    this.initial.push({ address, bytes: new Uint8Array(data.buffer) });
    this.#tables.set(name, { address, size });
    return { address, size };
  }

  /** The index of a function, written when it is first asked for. */
  function(
    name: string,
    operands: readonly ValType[],
    results: readonly ValType[],
    write: (code: Code) => void,
  ): number {
    const known = this.#functions.get(name);
    if (known !== undefined) return known;
    const { index, code } = this.module.define(operands, results);
    this.#functions.set(name, index);
    write(code);
    return index;
  }
}
