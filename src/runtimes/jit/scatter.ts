import { sizeOf, stridesOf } from "../../core/tensor.js";
import { type Node, normaliseAxis, type Value } from "../../graph/graph.js";
import { castCell, cellType, pushNumber } from "./cell.js";
import { loadScalar, storeScalar } from "./cells.js";
import { emitCell } from "./elementwise.js";
import { type Frame, shapeOf } from "./frame.js";
import { checkIndex, packed } from "./indexing.js";
import { type Cursor, emitNest, type Walk } from "./nest.js";
import { bytesOf, type View } from "./view.js";
import type { Local } from "./wasm/index.js";

// Reading and writing at places that other tensors name, element by element or block by block.

/** What becomes of an element that is written to, by the attribute `reduction`. */
const reductions: Readonly<Record<string, string | null>> = {
  none: null,
  add: "Add",
  mul: "Mul",
  max: "Max",
  min: "Min",
};

function walk(view: View, strides: readonly number[]): Walk {
  return { strides, address: view.address, dynamic: view.dynamic };
}

/** Walks over `shape` and hands the place in `data` that each index names, as a pointer, to `visit`. */
function eachElement(
  frame: Frame,
  node: Node,
  data: View,
  other: View,
  visit: (place: Local, other: Cursor) => void,
): void {
  const { code } = frame;
  const index = node.inputs[1]!;
  const indices = packed(frame, index);
  const axis = normaliseAxis(
    (node.attributes.axis as number | undefined) ?? 0,
    data.shape.length,
    node.op.type,
  );
  const bytes = bytesOf(data.dtype);
  const strides = stridesOf(data.shape).map((stride) => stride * bytes);
  const own = stridesOf(indices.shape);
  emitNest(code, {
    sizes: indices.shape,
    walks: [
      walk(data, strides.with(axis, 0)),
      walk(
        indices,
        own.map((stride) => stride * bytesOf(index.dtype)),
      ),
      walk(
        other,
        own.map((stride) => stride * bytes),
      ),
    ],
    vectorAxis: null,
    width: 1,
    body(_, [base, at, element]) {
      at!.pointer();
      loadScalar(code, index.dtype, at!.offset);
      const place = checkIndex(frame, index.dtype, data.shape[axis]!);
      code.get(place).i32(strides[axis]!).op("i32.mul");
      base!.pointer();
      code.op("i32.add").i32(base!.offset).op("i32.add").set(place);
      visit(place, element!);
      code.free(place);
    },
  });
}

/** The same for index lists that name leading axes: `visit` gets the place of a block of `size` elements. */
function eachBlock(
  frame: Frame,
  node: Node,
  data: View,
  other: View,
  visit: (place: Local, other: Cursor, size: number) => void,
): void {
  const { code } = frame;
  const index = node.inputs[1]!;
  const indices = packed(frame, index);
  const depth = indices.shape.at(-1)!;
  const bytes = bytesOf(data.dtype);
  const strides = stridesOf(data.shape).map((stride) => stride * bytes);
  const size = sizeOf(data.shape.slice(depth));
  const wide = bytesOf(index.dtype);
  emitNest(code, {
    sizes: [sizeOf(indices.shape.slice(0, -1))],
    walks: [walk(indices, [depth * wide]), walk(other, [size * bytes])],
    vectorAxis: null,
    width: 1,
    body(_, [at, block]) {
      if (data.dynamic === null) code.i32(0);
      else code.get(data.dynamic);
      code.i32(data.address).op("i32.add");
      const place = code.keep("i32");
      for (let i = 0; i < depth; i++) {
        at!.pointer();
        loadScalar(code, index.dtype, at!.offset + i * wide);
        const one = checkIndex(frame, index.dtype, node.inputs[0]!.shape[i]!);
        code.get(one).i32(strides[i]!).op("i32.mul").get(place).op("i32.add").set(place);
        code.free(one);
      }
      visit(place, block!, size);
      code.free(place);
    },
  });
}

export function emitGatherElements(frame: Frame, node: Node): void {
  const { code } = frame;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const target = frame.destination(y);
  eachElement(frame, node, packed(frame, x), target, (place, element) => {
    element.pointer();
    code.get(place);
    loadScalar(code, x.dtype, 0);
    storeScalar(code, x.dtype, element.offset);
  });
  frame.setView(y, target);
}

export function emitGatherND(frame: Frame, node: Node): void {
  const { code } = frame;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const target = frame.destination(y);
  eachBlock(frame, node, packed(frame, x), target, (place, block, size) => {
    block.pointer();
    code.i32(block.offset).op("i32.add");
    code
      .get(place)
      .i32(size * bytesOf(x.dtype))
      .copyMemory();
  });
  frame.setView(y, target);
}

/** Stores an update, or what its reduction makes of it, at a place. */
function update(frame: Frame, node: Node, place: Local, offset: number, from: Cursor): void {
  const { unit, code } = frame;
  const { dtype } = node.inputs[0]!;
  const combiner = reductions[(node.attributes.reduction as string | undefined) ?? "none"] ?? null;
  const load = () => {
    from.pointer();
    loadScalar(code, dtype, from.offset);
  };
  if (combiner === null) {
    code.get(place);
    load();
  } else {
    code.get(place);
    loadScalar(code, dtype, offset);
    const old = code.keep(cellType(dtype, 1));
    load();
    const term = code.keep(cellType(dtype, 1));
    code.get(place);
    const application = { type: combiner, attributes: {}, from: [dtype, dtype], to: dtype };
    emitCell(unit, code, application, 1, [() => code.get(old), () => code.get(term)]);
    code.free(old);
    code.free(term);
  }
  storeScalar(code, dtype, offset);
}

/** Where updates go: a copy of the operand, or the operand itself where nothing else needs it any more. */
function start(frame: Frame, node: Node): { target: View; updates: View } {
  const [x, updates] = [node.inputs[0] as Value, node.inputs[2] as Value];
  const y = node.outputs[0]!;
  const own = frame.takeOver(x);
  const target = own ?? frame.destination(y);
  if (own === null) {
    frame.copyStrided(frame.viewOf(x), target);
    frame.setView(y, target);
  } else frame.setOwned(y, own);
  return { target, updates: packed(frame, updates) };
}

export function emitScatterElements(frame: Frame, node: Node): void {
  const { target, updates } = start(frame, node);
  eachElement(frame, node, target, updates, (place, element) => update(frame, node, place, 0, element));
}

export function emitScatterND(frame: Frame, node: Node): void {
  const { code } = frame;
  const { target, updates } = start(frame, node);
  const bytes = bytesOf(target.dtype);
  eachBlock(frame, node, target, updates, (place, block, size) => {
    block.pointer();
    const from = code.keep("i32");
    emitNest(code, {
      sizes: [size],
      walks: [
        { strides: [bytes], address: 0, dynamic: place },
        { strides: [bytes], address: block.offset, dynamic: from },
      ],
      vectorAxis: null,
      width: 1,
      body(_, [to, source]) {
        to!.pointer();
        const at = code.keep("i32");
        update(frame, node, at, to!.offset, source!);
        code.free(at);
      },
    });
    code.free(from);
  });
}

/** Shapes that a running sum walks through: before, along and after its axis. */
export function emitCumSum(frame: Frame, node: Node): void {
  const { unit, code } = frame;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const { dtype } = x;
  const shape = shapeOf(x);
  const axis = normaliseAxis(Number(node.inputs[1]!.constant!.data[0]!), shape.length, "CumSum");
  // running sums of float32 are kept in float64
  const wide = dtype === "float32" ? "float64" : dtype;
  const exclusive = node.attributes.exclusive === 1;
  const reverse = node.attributes.reverse === 1;
  const source = packed(frame, x);
  const target = frame.destination(y);
  const bytes = bytesOf(dtype);
  const inner = sizeOf(shape.slice(axis + 1)) * bytes;
  const dim = shape[axis]!;
  const strides = [dim * inner, bytes, reverse ? -inner : inner];
  const first = reverse ? (dim - 1) * inner : 0;
  let total: Local = 0;
  emitNest(code, {
    sizes: [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1)), dim],
    walks: [source, target].map((view) => ({ ...walk(view, strides), address: view.address + first })),
    vectorAxis: null,
    width: 1,
    around: {
      axis: 2,
      enter() {
        total = code.local(cellType(wide, 1));
        pushNumber(code, wide, 0);
        code.set(total);
      },
      leave: () => code.free(total),
    },
    body(_, [from, to]) {
      const store = () => {
        to!.pointer();
        code.get(total);
        castCell(code, wide, dtype);
        storeScalar(code, dtype, to!.offset);
      };
      from!.pointer();
      loadScalar(code, dtype, from!.offset);
      castCell(code, dtype, wide);
      const term = code.keep(cellType(wide, 1));
      if (exclusive) store();
      const application = { type: "Add", attributes: {}, from: [wide, wide], to: wide };
      emitCell(unit, code, application, 1, [() => code.get(total), () => code.get(term)]);
      code.set(total).free(term);
      if (!exclusive) store();
    },
  });
  frame.setView(y, target);
}
