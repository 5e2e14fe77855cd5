import { sizeOf } from "../../core/tensor.js";
import type { Graph, Value } from "../../graph/graph.js";
import { Frame, shapeOf } from "./frame.js";
import { lower } from "./rewrites.js";
import { writeScope } from "./scope.js";
import { type Sizes, specialise } from "./specialise.js";
import { Unit } from "./unit.js";
import { bytesOf, contiguous } from "./view.js";

/** A tensor at a fixed place in the memory of a program. */
export interface Slot {
  readonly address: number;
  readonly shape: readonly number[];
}

/** A graph as a WebAssembly module, for concrete sizes: what to write into memory, what to call, what to read. */
export interface Program {
  readonly module: Uint8Array<ArrayBuffer>;
  readonly bytes: number;
  readonly initial: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  readonly reports: Unit["reports"];
}

/**
 * Compiles a graph for concrete sizes.
 *
 * @param fused  whether the engine has a fused multiply-add
 */
export function programOf(graph: Graph, sizes: Sizes, fused: boolean): Program {
  const { graph: concrete, loops } = specialise(graph, sizes, lower);
  const unit = new Unit(loops, fused);
  const main = unit.module.define([], [], "run");
  const frame = Frame.function(unit, main.code, concrete, null);
  const inputs = concrete.inputs.map((input) => {
    const shape = shapeOf(input);
    const address = unit.plan.reserve(sizeOf(shape) * bytesOf(input.dtype));
    frame.setView(input, contiguous(input.dtype, shape, address, null));
    return { address, shape };
  });
  writeScope(frame);
  const places = new Map<Value, Slot>();
  const outputs = concrete.outputs.map(({ value }) => {
    const known = places.get(value);
    if (known !== undefined) return known;
    let view = frame.viewOf(value);
    const packed = contiguous(value.dtype, shapeOf(value), view.address, null);
    if (view.dynamic !== null || view.strides.some((stride, axis) => stride !== packed.strides[axis])) {
      const copy = frame.allocate(value);
      frame.copyStrided(view, copy);
      view = copy;
    }
    const slot = { address: view.address, shape: view.shape };
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
  };
}
