import { numbers, sizeOf, stridesOf, tensor } from "../../core/tensor.js";
import { type Dim, type Node, normaliseAxis, type Value } from "../../graph/graph.js";
import { cellType, pushNumber } from "./cell.js";
import { loadScalar, pushBase, storeScalar } from "./cells.js";
import { type Frame, shapeOf } from "./frame.js";
import { dropAxis } from "./movement.js";
import { emitNest } from "./nest.js";
import { bytesOf, isContiguous, type View } from "./view.js";
import type { Local, Plain, Push } from "./wasm/index.js";

// Operators that read where other values tell them to. An index out of range ends the run with a trap.

/** Replaces the index on the stack (i32 or i64) by one in 0 … dim − 1, as i32. */
export function checkIndex(frame: Frame, index: Value["dtype"], dim: Dim): Local {
  const { code } = frame;
  if (cellType(index, 1) === "i64") wrapIndex(frame);
  const at = code.keep("i32");
  let rows: Local | null = null;
  if (typeof dim === "string") {
    frame.unit.pushRows(code, dim);
    rows = code.keep("i32");
  }
  const push = () => (rows === null ? code.i32(dim as number) : code.get(rows));
  code.get(at);
  push().op("i32.add").get(at);
  code.get(at).i32(0).op("i32.lt_s").op("select").tee(at);
  push().op("i32.ge_u");
  code.if(() => code.op("unreachable"));
  if (rows !== null) code.free(rows);
  return at;
}

/** Makes an i32 of an i64; what does not fit becomes the largest, which is out of every range. */
function wrapIndex({ code }: Frame): void {
  const wide = code.keep("i64");
  code.get(wide).op("i32.wrap_i64").i32(0x7fffffff);
  code.get(wide).get(wide).op("i32.wrap_i64").op("i64.extend_i32_s").op("i64.eq").op("select");
  code.free(wide);
}

/** Gather by one index that is known when the graph runs: a view with an offset. */
export function emitGatherOne(frame: Frame, node: Node): void {
  const { code } = frame;
  const [x, index] = node.inputs as [Value, Value];
  const axis = normaliseAxis((node.attributes.axis as number | undefined) ?? 0, x.shape.length, "Gather");
  const view = frame.viewOf(x);
  frame.scalar(index)();
  const at = checkIndex(frame, index.dtype, x.shape[axis]!);
  code
    .get(at)
    .i32(view.strides[axis]! * bytesOf(view.dtype))
    .op("i32.mul");
  if (view.dynamic !== null) code.get(view.dynamic).op("i32.add");
  code.set(at);
  frame.alias(node.outputs[0]!, { ...dropAxis(view, axis), dynamic: at });
}

/** Gather by many indices. */
export function emitGather(frame: Frame, node: Node): void {
  const { code } = frame;
  const [x, index] = node.inputs as [Value, Value];
  const y = node.outputs[0]!;
  const axis = normaliseAxis((node.attributes.axis as number | undefined) ?? 0, x.shape.length, "Gather");
  const source = packed(frame, x);
  const indices = packed(frame, index);
  const target = frame.destination(y);
  const { shape } = source;
  const inner = sizeOf(shape.slice(axis + 1));
  const bytes = bytesOf(x.dtype);
  const count = sizeOf(shapeOf(index));
  emitNest(code, {
    sizes: [sizeOf(shape.slice(0, axis)), count],
    walks: [
      { strides: [shape[axis]! * inner * bytes, 0], address: source.address, dynamic: source.dynamic },
      { strides: [0, bytesOf(index.dtype)], address: indices.address, dynamic: indices.dynamic },
      { strides: [count * inner * bytes, inner * bytes], address: target.address, dynamic: target.dynamic },
    ],
    vectorAxis: null,
    width: 1,
    body(_, [from, at, to]) {
      at!.pointer();
      loadScalar(code, index.dtype, at!.offset);
      const i = checkIndex(frame, index.dtype, x.shape[axis]!);
      code
        .get(i)
        .i32(inner * bytes)
        .op("i32.mul");
      from!.pointer();
      code.op("i32.add").set(i);
      if (inner === 1) {
        to!.pointer();
        code.get(i);
        loadScalar(code, x.dtype, from!.offset);
        storeScalar(code, x.dtype, to!.offset);
      } else {
        to!.pointer();
        code.i32(to!.offset).op("i32.add");
        code.get(i).i32(from!.offset).op("i32.add");
        code.i32(inner * bytes).copyMemory();
      }
      code.free(i);
    },
  });
  frame.setView(y, target);
}

/** The view of a value, copied where its elements do not lie in a row. */
export function packed(frame: Frame, value: Value): View {
  const view = frame.viewOf(value);
  if (isContiguous(view)) return view;
  const copy = frame.allocate(value);
  frame.copyStrided(view, copy);
  // the copy lives as long as the plan of the whole program: it is rare
  return copy;
}

/** Shape of an operand with an open dimension, as int64; all others are constants by now. */
export function emitShape(frame: Frame, node: Node): void {
  const { code, registers } = frame;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const { start = 0 } = node.attributes as { start?: number };
  const first = start < 0 ? Math.max(0, start + x.shape.length) : start;
  const dims = x.shape.slice(first, first + shapeOf(y)[0]!);
  const locals = dims.map((dim) => {
    frame.unit.pushRows(code, dim);
    code.op("i64.extend_i32_u");
    return registers.keep("int64", 1);
  });
  frame.setLanes(y, 1, locals);
}

/** Size of an operand with an open dimension, as int64. */
export function emitSize(frame: Frame, node: Node): void {
  const { code, registers } = frame;
  const [rows, ...rest] = node.inputs[0]!.shape;
  frame.unit.pushRows(code, rows!);
  code
    .op("i64.extend_i32_u")
    .i64(sizeOf(rest as number[]))
    .op("i64.mul");
  frame.setLanes(node.outputs[0]!, 1, [registers.keep("int64", 1)]);
}

/** ArgMax and ArgMin: the first index of the extremum, or the last. NaN counts as the extremum, as in NumPy. */
export function emitArgument(frame: Frame, node: Node): void {
  const { code } = frame;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const { attributes } = node;
  const shape = shapeOf(x);
  const axis = normaliseAxis((attributes.axis as number | undefined) ?? 0, shape.length, node.op.type);
  const source = packed(frame, x);
  const target = frame.destination(y);
  const [outer, dim, inner] = [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
  const bytes = bytesOf(x.dtype);
  const cell = cellType(x.dtype, 1);
  const isFloat = cell === "f64" || cell === "f32";
  const name = node.op.type === "ArgMax" ? "gt" : "lt";
  const better = isFloat ? name : `${name}_${x.dtype.startsWith("u") ? "u" : "s"}`;
  emitNest(code, {
    sizes: [outer, inner],
    walks: [
      { strides: [dim * inner * bytes, bytes], address: source.address, dynamic: source.dynamic },
      { strides: [inner * 8, 8], address: target.address, dynamic: target.dynamic },
    ],
    vectorAxis: null,
    width: 1,
    body(_, [from, to]) {
      const [pointer, i, at] = [code.local("i32"), code.local("i32"), code.local("i32")];
      const [best, value] = [code.local(cell), code.local(cell)];
      from!.pointer();
      code.set(pointer).get(pointer);
      loadScalar(code, x.dtype, from!.offset);
      code.set(best).i32(0).set(at).i32(0).set(i);
      code.repeat(() => {
        code.get(pointer);
        loadScalar(code, x.dtype, from!.offset);
        code
          .tee(value)
          .get(best)
          .op(`${cell}.${better}` as Plain);
        if (attributes.select_last_index === 1) {
          code
            .get(value)
            .get(best)
            .op(`${cell}.eq` as Plain)
            .op("i32.or");
        }
        code.if(() => code.get(value).set(best).get(i).set(at));
        code
          .get(pointer)
          .i32(inner * bytes)
          .op("i32.add")
          .set(pointer);
        code.get(i).i32(1).op("i32.add").tee(i).i32(dim).op("i32.lt_u");
      });
      to!.pointer();
      code.get(at).op("i64.extend_i32_u").access("i64.store", to!.offset);
      for (const local of [pointer, i, at, best, value]) code.free(local);
    },
  });
  frame.setView(y, target);
}

/** Pad: with a constant, the operand is copied into a filled tensor (or what is left of it, where pads cut). */
export function emitPad(frame: Frame, node: Node): void {
  if ((node.attributes.mode ?? "constant") !== "constant") {
    emitTable(frame, node);
    return;
  }
  const [x, pads, fill, given] = node.inputs as [Value, Value, Value | null | undefined, Value?];
  const y = node.outputs[0]!;
  const shape = shapeOf(x);
  const counts = numbers(pads.constant!);
  const axes = given ? numbers(given.constant!) : shape.map((_, axis) => axis);
  const before = shape.map(() => 0);
  axes.forEach((axis, i) => {
    before[normaliseAxis(axis, shape.length, "Pad")] = counts[i]!;
  });
  const target = frame.destination(y);
  emitFill(frame, y, fill ? frame.scalar(fill) : () => pushNumber(frame.code, y.dtype, 0), target);
  const [source, own] = [frame.viewOf(x), stridesOf(target.shape)];
  const bytes = bytesOf(x.dtype);
  const start = before.map((count) => Math.max(0, count));
  const cut = before.map((count) => Math.max(0, -count));
  const common = shape.map((dim, axis) => Math.min(dim - cut[axis]!, target.shape[axis]! - start[axis]!));
  if (common.some((count) => count <= 0)) {
    frame.setView(y, target);
    return;
  }
  const shift = (view: View, strides: readonly number[], from: readonly number[]): View => ({
    ...view,
    shape: common,
    strides,
    address: view.address + from.reduce((sum, count, axis) => sum + count * strides[axis]!, 0) * bytes,
  });
  frame.copyStrided(shift(source, source.strides, cut), shift(target, own, start));
  frame.setView(y, target);
}

/** One value, repeated. */
export function emitFill(frame: Frame, y: Value, push: Push, view: View): void {
  const { code } = frame;
  const bytes = bytesOf(y.dtype);
  emitNest(code, {
    sizes: [sizeOf(shapeOf(y))],
    walks: [{ strides: [bytes], address: view.address, dynamic: view.dynamic }],
    vectorAxis: null,
    width: 1,
    body(_, [to]) {
      to!.pointer();
      push();
      storeScalar(code, y.dtype, to!.offset);
    },
  });
}

/**
 * Elements of the operand in an order that is known at compile time, by a table: what the operator itself makes of the
 * numbers of its operand's elements.
 */
export function emitTable(frame: Frame, node: Node): void {
  const { code, unit } = frame;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const shape = shapeOf(x);
  const numbered = tensor(
    "int32",
    shape,
    Int32Array.from({ length: sizeOf(shape) }, (_, i) => i),
  );
  const constants = node.inputs.slice(1).map((value) => value?.constant ?? null);
  const index = node.op.fold!([numbered, ...constants], node.attributes)![0]!.data as Int32Array;
  const source = packed(frame, x);
  const target = frame.destination(y);
  const bytes = bytesOf(x.dtype);
  const table = unit.table({ dtype: "int32", shape: [index.length], data: index.map((i) => i * bytes) });
  emitNest(code, {
    sizes: [index.length],
    walks: [
      { strides: [4], address: table.address, dynamic: null },
      { strides: [bytes], address: target.address, dynamic: target.dynamic },
    ],
    vectorAxis: null,
    width: 1,
    body(_, [from, to]) {
      to!.pointer();
      from!.pointer();
      code.access("i32.load", from!.offset);
      if (source.dynamic !== null) {
        pushBase(code, source.dynamic);
        code.op("i32.add");
      }
      loadScalar(code, x.dtype, source.address);
      storeScalar(code, x.dtype, to!.offset);
    },
  });
  frame.setView(y, target);
}
