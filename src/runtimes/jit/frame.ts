import { sizeOf } from "../../core/tensor.js";
import { type Graph, type Node, nodesOf, type Value } from "../../graph/graph.js";
import { lanesOf, type Width } from "./cell.js";
import { loadScalar, loadVector, pushBase, storeScalar, storeVector } from "./cells.js";
import { emitCopy } from "./copy.js";
import { type Lanes, placeOf, Registers } from "./registers.js";
import type { Unit } from "./unit.js";
import { broadcastStrides, bytesOf, contiguous, isContiguous, type View } from "./view.js";
import type { Code, Local, Push } from "./wasm/index.js";

/** Tensors up to this size are kept in locals, element by element, and computed without loops. */
const smallLimit = 64;

export function isSmall(value: { readonly shape: readonly (number | string)[] }): boolean {
  return sizeOf(value.shape as number[]) <= smallLimit;
}

export function shapeOf(value: { readonly shape: readonly (number | string)[] }): readonly number[] {
  return value.shape as readonly number[];
}

/**
 * One scope of a graph while its code is written: where each value is (in locals, in memory, or both), and how many
 * uses it still has.
 */
export class Frame {
  readonly #views = new Map<Value, View>();
  readonly #lanes = new Map<Value, Lanes>();
  readonly #uses = new Map<Value, number>();
  /** values that have memory for themselves which no buffer stands for, as what a loop carries does */
  readonly #owned = new Set<Value>();
  /** where a value must end up, known before it is computed */
  readonly #destinations = new Map<Value, View>();

  private constructor(
    readonly unit: Unit,
    readonly code: Code,
    readonly registers: Registers,
    readonly graph: Graph,
    readonly outer: Frame | null,
    /** whether the outer scope is written into the same function */
    readonly inFunction: boolean,
    /** whether the nodes of the graph are written here, all of them */
    isWhole = true,
  ) {
    if (!isWhole) return;
    const count = (value: Value | null) => {
      if (value !== null && value.scope === graph.scope) {
        this.#uses.set(value, (this.#uses.get(value) ?? 0) + 1);
      }
    };
    for (const node of nodesOf(graph)) {
      node.inputs.forEach(count);
      node.captures.forEach(count);
    }
    for (const { value } of graph.outputs) count(value);
  }

  /** The scope of a function of its own. */
  static function(unit: Unit, code: Code, graph: Graph, outer: Frame | null): Frame {
    return new Frame(unit, code, new Registers(code), graph, outer, false);
  }

  /** A scope inside this one, in the same function. */
  branch(graph: Graph): Frame {
    return new Frame(this.unit, this.code, this.registers, graph, this, true);
  }

  /** Some nodes of this scope, in a function of their own: it sees what is in memory. */
  apart(code: Code): Frame {
    return new Frame(this.unit, code, new Registers(code), this.graph, this, false, false);
  }

  usesOf(value: Value): number {
    return this.#uses.get(value) ?? 0;
  }

  setView(value: Value, view: View): void {
    this.#views.set(value, view);
  }

  setLanes(value: Value, width: Width, locals: readonly Local[]): void {
    this.#lanes.set(value, {
      dtype: value.dtype,
      shape: shapeOf(value),
      width,
      locals,
      arranged: new Map(),
    });
  }

  /** The lanes of a value, if it has any already. */
  knownLanes(value: Value): Lanes | null {
    const own = this.#lanes.get(value);
    if (own !== undefined) return own;
    const outer = this.inFunction ? this.outer!.knownLanes(value) : null;
    if (outer === null) return null;
    // what a branch makes of them holds in the branch only
    for (const local of outer.locals) this.registers.retain(local);
    this.#lanes.set(value, { ...outer, arranged: new Map() });
    return this.#lanes.get(value)!;
  }

  /** The view of a value, if it is in memory already. */
  knownView(value: Value): View | null {
    if (value.constant !== null) return this.unit.constant(value);
    const own = this.#views.get(value);
    if (own !== undefined) return own;
    const view = this.outer?.knownView(value) ?? null;
    return view !== null && (this.inFunction || view.dynamic === null) ? view : null;
  }

  /** A small value in locals, loaded if need be. */
  lanesOf(value: Value): Lanes {
    const known = this.knownLanes(value);
    if (known !== null) return known;
    const view = this.knownView(value)!;
    const size = sizeOf(view.shape);
    const width = size === 1 ? 1 : lanesOf(view.dtype);
    this.setLanes(value, width, this.#load(view, size, width));
    return this.#lanes.get(value)!;
  }

  #load(view: View, size: number, width: Width): Local[] {
    const { code, registers } = this;
    const bytes = bytesOf(view.dtype);
    const offsets = offsetsOf(view);
    if (width > 1 && isContiguous(view)) {
      return Array.from({ length: Math.ceil(size / width) }, (_, k) => {
        pushBase(code, view.dynamic);
        const count = Math.min(width, size - k * width);
        loadVector(code, view.dtype, width, view.address + k * width * bytes, count);
        return registers.keep(view.dtype, width);
      });
    }
    const scalars = offsets.map((offset) => {
      pushBase(code, view.dynamic);
      loadScalar(code, view.dtype, view.address + offset * bytes);
      return registers.keep(view.dtype, 1);
    });
    if (width === 1) return scalars;
    const packed = registers.assemble(
      view.dtype,
      width,
      scalars.map((local) => ({ local, lane: -1, width: 1 })),
    );
    for (const local of scalars) registers.release(local);
    return packed;
  }

  /** The elements of a small value, `index` of them in order, as cells of a width; kept for the next to ask. */
  arranged(value: Value, width: Width, index: readonly number[], key: string): readonly Local[] {
    const lanes = this.lanesOf(value);
    const name = `${width}:${key}`;
    const known = lanes.arranged.get(name);
    if (known !== undefined) return known;
    // masks of another width are taken apart first
    const unlike = lanes.width > 1 && width > 1 && lanes.width !== width;
    const scalars = unlike ? this.arranged(value, 1, rangeOf(value), "all") : null;
    const locals = this.registers.assemble(
      value.dtype,
      width,
      index.map((i) => (scalars === null ? placeOf(lanes, i) : { local: scalars[i]!, lane: -1, width: 1 })),
    );
    lanes.arranged.set(name, locals);
    return locals;
  }

  places(value: Value, lanes = this.lanesOf(value)) {
    return rangeOf(value).map((i) => placeOf(lanes, i));
  }

  /** A value of one element, as a scalar. */
  scalar(value: Value): Push {
    const local = this.arranged(value, 1, [0], "0")[0]!;
    return () => this.code.get(local);
  }

  /** A value in memory, stored if need be. */
  viewOf(value: Value): View {
    const known = this.knownView(value);
    if (known !== null) return known;
    const holder = this.#lanes.has(value) ? this : this.outer!;
    if (holder !== this) return this.inFunction ? holder.viewOf(value) : missing(value);
    const view = this.allocate(value);
    this.storeLanes(this.#lanes.get(value)!, view);
    this.#views.set(value, view);
    return view;
  }

  /** Makes sure that a value can be read from inside another function. */
  settle(value: Value): void {
    if (value.constant !== null) return;
    const view = this.viewOf(value);
    if (view.dynamic === null) return;
    const lanes = isSmall(value) ? this.lanesOf(value) : null;
    const settled = this.allocate(value);
    if (lanes !== null) this.storeLanes(lanes, settled);
    else this.copyStrided(view, settled);
    if (view.buffer !== null) this.unit.plan.release(view.buffer);
    this.#views.set(value, settled);
  }

  /** Copies a view of any strides. */
  copyStrided(from: View, to: View): void {
    emitCopy(this.code, from, to);
  }

  /** Writes a value to a place in memory. */
  write(value: Value, to: View): void {
    const lanes = this.knownLanes(value);
    if (lanes === null || !isContiguous(to)) this.copyStrided(this.viewOf(value), to);
    else this.storeLanes(lanes, to);
  }

  storeLanes(lanes: Lanes, view: View): void {
    const { code } = this;
    const size = sizeOf(view.shape);
    const bytes = bytesOf(view.dtype);
    for (const [k, local] of lanes.locals.entries()) {
      pushBase(code, view.dynamic);
      code.get(local);
      const offset = view.address + k * lanes.width * bytes;
      if (lanes.width === 1) storeScalar(code, view.dtype, offset);
      else storeVector(code, view.dtype, lanes.width, offset, Math.min(lanes.width, size - k * lanes.width));
    }
  }

  /** Where a value that is computed in memory goes. */
  destination(value: Value): View {
    const wanted = this.#destinations.get(value);
    return wanted ?? this.allocate(value);
  }

  setDestination(value: Value, view: View): void {
    this.#destinations.set(value, view);
  }

  hasDestination(value: Value): boolean {
    return this.#destinations.has(value);
  }

  allocate(type: Pick<Value, "dtype" | "shape">): View {
    const shape = this.unit.roomOf(type.shape);
    const buffer = this.unit.plan.allocate(sizeOf(shape) * bytesOf(type.dtype));
    return contiguous(type.dtype, shape, buffer.address, buffer);
  }

  /** Defines a value that has its memory for itself, whatever becomes of that. */
  setOwned(value: Value, view: View): void {
    this.#owned.add(value);
    this.#views.set(value, view);
  }

  /**
   * The memory of a value, for its last user to write to and to free; `null` where it has none for itself, or something
   * else looks at it.
   */
  takeOver(value: Value): View | null {
    const view = this.#views.get(value);
    if (view === undefined || this.usesOf(value) !== 1) return null;
    const mine = view.buffer !== null || this.#owned.has(value);
    if (!mine || view.dynamic !== null || !isContiguous(view)) return null;
    for (let frame: Frame | null = this; frame !== null; frame = frame.outer) {
      for (const [other, seen] of frame.#views) if (other !== value && overlap(view, seen)) return null;
    }
    this.#views.delete(value);
    return view;
  }

  /** Defines a value as another view of a buffer. */
  alias(value: Value, view: View): void {
    if (view.buffer !== null) this.unit.plan.retain(view.buffer);
    this.#views.set(value, view);
  }

  /** Counts the operands of a node as used, and frees what nothing needs any more. */
  done(node: Node): void {
    for (const value of node.inputs) if (value !== null) this.release(value);
    for (const value of node.captures) this.release(value);
    for (const value of node.outputs) if (this.usesOf(value) === 0) this.#drop(value);
  }

  release(value: Value): void {
    const uses = this.#uses.get(value);
    if (uses === undefined) return;
    this.#uses.set(value, uses - 1);
    if (uses === 1) this.#drop(value);
  }

  /** Frees the locals of values of outer scopes and of constants that were loaded here. */
  end(): void {
    for (const value of [...this.#lanes.keys()]) this.#drop(value);
  }

  #drop(value: Value): void {
    const lanes = this.#lanes.get(value);
    if (lanes !== undefined) {
      for (const local of lanes.locals) this.registers.release(local);
      for (const locals of lanes.arranged.values()) {
        for (const local of locals) this.registers.release(local);
      }
      this.#lanes.delete(value);
    }
    const view = this.#views.get(value);
    if (view !== undefined) {
      if (view.buffer !== null) this.unit.plan.release(view.buffer);
      this.#views.delete(value);
    }
  }
}

/** Whether view b looks into the memory of a, wherever it is there: no offset leads out of what a view looks at. */
export function overlap(a: View, b: View): boolean {
  const size = sizeOf(a.shape) * bytesOf(a.dtype);
  return b.address >= a.address && b.address < a.address + size;
}

function rangeOf(value: Value): number[] {
  return Array.from({ length: sizeOf(shapeOf(value)) }, (_, i) => i);
}

function missing(value: Value): never {
  throw new Error(`jit: value ${value.id} is read before it is computed.`);
}

/** Offsets of all elements of a view, in elements, row-major. */
export function offsetsOf(view: Pick<View, "shape" | "strides">): number[] {
  let offsets = [0];
  view.shape.forEach((dim, axis) => {
    const stride = view.strides[axis]!;
    offsets = offsets.flatMap((offset) => Array.from({ length: dim }, (_, i) => offset + i * stride));
  });
  return offsets;
}

/** Which element of a value each element of a broadcast shape reads. */
export function broadcastOffsets(value: Value, to: readonly number[]): number[] {
  const shape = shapeOf(value);
  const strides = contiguous(value.dtype, shape, 0, null).strides;
  return offsetsOf({ shape: to, strides: broadcastStrides({ shape, strides }, to) });
}
