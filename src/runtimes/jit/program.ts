import { sizeOf } from "../../core/tensor.js";
import type { Graph, Value } from "../../graph/graph.js";
import type { Rewrite } from "../../graph/passes.js";
import { contraction, roundedAnyway } from "./contract.js";
import { Frame } from "./frame.js";
import { lower } from "./rewrites.js";
import { writeScope } from "./scope.js";
import { type Sizes, specialise } from "./specialise.js";
import { type Report, type RowCount, Unit } from "./unit.js";
import { bytesOf, contiguous } from "./view.js";

/** A tensor at a fixed place in the memory of a program. */
export interface Slot {
  readonly address: number;
  /** with as many rows as there is room for */
  readonly shape: readonly number[];
  /** how many there are, where that is open */
  readonly rows: RowCount | null;
}

/** Where an input goes. */
export interface InputSlot extends Slot {
  /** the first input with the same open dimension; its own index for a closed one */
  readonly leader: number;
}

/** A graph as a WebAssembly module, for concrete sizes: what to write into memory, what to call, what to read. */
export interface Program {
  readonly module: Uint8Array<ArrayBuffer>;
  readonly bytes: number;
  readonly initial: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  readonly inputs: readonly InputSlot[];
  readonly outputs: readonly Slot[];
  readonly reports: readonly Report[];
  /** how many rows there is room for, by the source of an open dimension */
  readonly capacities: ReadonlyMap<string, number>;
}

/**
 * Compiles a graph for concrete sizes.
 *
 * @param fused  whether the engine has a fused multiply-add
 * @param capacities  how many rows there is to be room for, by the source of an open dimension, as far as that is known
 * @throws {OpenDimensionError} naming dimensions that cannot be left open
 */
export function programOf(
  graph: Graph,
  sizes: Sizes,
  capacities: ReadonlyMap<string, number>,
  fused: boolean,
): Program {
  // without the instruction, every product is rounded
  const rewrite: Rewrite = fused
    ? lower
    : (b, node, inputs, within) => roundedAnyway(node, inputs) ?? lower(b, node, inputs, within);
  const { graph: concrete, loops, hints } = specialise(graph, sizes, rewrite, fused ? contraction : null);
  const unit = new Unit(loops, capacities, hints, fused);
  const rowsOf = ({ shape: [rows] }: Value) => (typeof rows === "string" ? unit.placesOf(rows) : null);
  const main = unit.module.define([], [], "run");
  const frame = Frame.function(unit, main.code, concrete, null);
  const inputs = concrete.inputs.map((input, i) => {
    const shape = unit.roomOf(input.shape);
    const address = unit.plan.reserve(sizeOf(shape) * bytesOf(input.dtype));
    frame.setView(input, contiguous(input.dtype, shape, address, null));
    const rows = rowsOf(input);
    const leader =
      rows === null ? i : concrete.inputs.findIndex((other) => other.shape[0] === input.shape[0]);
    return { address, shape, rows, leader };
  });
  writeScope(frame);
  const places = new Map<Value, Slot>();
  const outputs = concrete.outputs.map(({ value }) => {
    const known = places.get(value);
    if (known !== undefined) return known;
    let view = frame.viewOf(value);
    const packed = contiguous(value.dtype, unit.roomOf(value.shape), view.address, null);
    if (view.dynamic !== null || view.strides.some((stride, axis) => stride !== packed.strides[axis])) {
      const copy = frame.allocate(value);
      frame.copyStrided(view, copy);
      view = copy;
    }
    const slot = { address: view.address, shape: view.shape, rows: rowsOf(value) };
    places.set(value, slot);
    return slot;
  });
  frame.end();
  return {
    module: unit.module.encode(),
    bytes: unit.plan.bytes,
    initial: unit.initial,
    inputs,
    outputs,
    reports: unit.reports,
    capacities: unit.capacities,
  };
}
