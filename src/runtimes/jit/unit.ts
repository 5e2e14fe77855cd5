import type { Tensor } from "../../core/tensor.js";
import { summandsOf } from "../../graph/dimension.js";
import type { Dim, Graph, Shape, Value } from "../../graph/graph.js";
import { MemoryPlan } from "./plan.js";
import { contiguous, type View } from "./view.js";
import { type Code, type ValType, WasmModule } from "./wasm/index.js";

/** float64 numbers in memory that never change; their count is a power of two. */
export interface Table {
  readonly address: number;
  readonly size: number;
}

/** A number of rows: what some words of memory add up to, and `more`. */
export interface RowCount {
  readonly words: readonly number[];
  readonly more: number;
}

/**
 * A word in which a loop says how often it ran, if that is not `initial`: other than its scans have rows, where that is
 * a number (`source` is null); or, at most, more often than there is room for rows.
 */
export interface Report {
  readonly loop: number;
  /** of the open dimension of its scans */
  readonly source: string | null;
  /** bytes that all its scans take for one iteration */
  readonly rowBytes: number;
  readonly address: number;
  readonly initial: number;
}

/** Everything that the functions of one module share while they are written. */
export class Unit {
  readonly module = new WasmModule();
  readonly plan = new MemoryPlan();
  /** what memory holds before the first run */
  readonly initial: { readonly address: number; readonly bytes: Uint8Array }[] = [];
  /** loops whose scans have a length that is known only when they have run: where they report it */
  readonly reports: Report[] = [];
  readonly #rows = new Map<string, number>();
  readonly #pool = new Map<string, number>();
  readonly #constants = new Map<Value, View>();
  readonly #functions = new Map<string, number>();
  readonly #tables = new Map<string, Table>();

  /** how many rows there is room for, by the source of an open dimension */
  readonly capacities: Map<string, number>;

  constructor(
    readonly loops: ReadonlyMap<Graph, number>,
    capacities: ReadonlyMap<string, number>,
    /** how many rows the scans of loops are likely to have, by the source of their open dimension */
    readonly hints: ReadonlyMap<string, number>,
    /** whether there is a fused multiply-add */
    readonly fused: boolean,
  ) {
    this.capacities = new Map(capacities);
  }

  /** The word that holds how many rows a source of an open dimension has. */
  rowsAt(source: string): number {
    const known = this.#rows.get(source);
    if (known !== undefined) return known;
    const address = this.plan.reserve(4);
    this.#rows.set(source, address);
    return address;
  }

  /** Where to read how many rows there are: the words of which they are the sum, and what to add. */
  placesOf(dim: Dim): RowCount {
    const parts = summandsOf(dim);
    const words = parts.filter((part) => typeof part === "string").map((source) => this.rowsAt(source));
    return {
      words,
      more: parts.reduce<number>((sum, part) => sum + (typeof part === "number" ? part : 0), 0),
    };
  }

  /** Pushes how many rows there are, an i32. */
  pushRows(code: Code, dim: Dim): void {
    const { words, more } = this.placesOf(dim);
    code.i32(more);
    for (const address of words) code.i32(0).access("i32.load", address).op("i32.add");
  }

  /** A shape with the room for rows where their number is open. */
  roomOf(shape: Shape): readonly number[] {
    return shape.map((dim) =>
      summandsOf(dim).reduce<number>(
        (sum, part) => sum + (typeof part === "number" ? part : this.capacities.get(part)!),
        0,
      ),
    );
  }

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
