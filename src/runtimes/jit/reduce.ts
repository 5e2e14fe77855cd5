import { type DType, numbers } from "../../core/tensor.js";
import { type Node, normaliseAxis, type Value } from "../../graph/graph.js";
import { Accumulators, blockOf, type Combiner, combine } from "./accumulators.js";
import { lanesOf, pushNumber, type Width } from "./cell.js";
import { storeCells } from "./copy.js";
import { type Frame, offsetsOf, shapeOf } from "./frame.js";
import { GroupReader } from "./map.js";
import { collapse, emitNest } from "./nest.js";
import { bytesOf, contiguous } from "./view.js";
import type { Local } from "./wasm/index.js";

const combiners: Readonly<Record<string, Combiner>> = {
  ReduceSum: { type: "Add", start: () => 0 },
  ReduceProd: { type: "Mul", start: () => 1 },
  ReduceMax: { type: "Max", start: (dtype) => extreme(dtype, -1) },
  ReduceMin: { type: "Min", start: (dtype) => extreme(dtype, 1) },
};

export function isReduction(type: string): boolean {
  return type in combiners;
}

/** The largest (1) or smallest (−1) value of an element type. */
function extreme(dtype: DType, sign: 1 | -1): number | bigint {
  if (dtype.startsWith("float")) return sign * Infinity;
  const bits = bytesOf(dtype) * 8;
  const signed = dtype.startsWith("int");
  if (sign < 0) return signed ? -(1n << BigInt(bits - 1)) : 0n;
  return (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
}

/** The axes that a reduction removes, counted from the front. */
export function axesOf(node: Node): number[] {
  const rank = node.inputs[0]!.shape.length;
  const given = node.inputs[1]?.constant ?? null;
  const axes = given === null ? [] : numbers(given);
  if (axes.length > 0) return axes.map((axis) => normaliseAxis(axis, rank, node.op.type));
  return node.attributes.noop_with_empty_axes === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

/** A reduction of a small tensor in locals. */
export function emitSmallReduction(frame: Frame, node: Node): void {
  const { code, registers } = frame;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const shape = shapeOf(x);
  const reduced = axesOf(node);
  const { strides } = contiguous(x.dtype, shape, 0, null);
  const pick = (isReduced: boolean) => {
    const axes = shape.flatMap((_, axis) => (reduced.includes(axis) === isReduced ? [axis] : []));
    return offsetsOf({ shape: axes.map((a) => shape[a]!), strides: axes.map((a) => strides[a]!) });
  };
  const [kept, over] = [pick(false), pick(true)];
  const { type, start } = combiners[node.op.type]!;
  const step = (width: Width, total: Local, term: Local): Local => {
    combine(
      frame,
      type,
      x.dtype,
      width,
      () => code.get(total),
      () => code.get(term),
    );
    registers.release(total);
    return registers.keep(x.dtype, width);
  };
  if (over.length === 0) {
    pushNumber(code, x.dtype, start(x.dtype));
    const local = registers.keep(x.dtype, 1);
    const places = kept.map(() => ({ local, lane: -1, width: 1 as const }));
    const width = kept.length > 1 ? lanesOf(x.dtype) : 1;
    frame.setLanes(y, width, registers.assemble(y.dtype, width, places));
    registers.release(local);
    return;
  }
  const lanes = frame.lanesOf(x);
  if (kept.length === 1) {
    // whole vectors first, then the lanes of the sum, then what did not fill a vector
    const full = lanes.width === 1 ? 0 : Math.floor(over.length / lanes.width);
    const places = frame.places(x);
    const rest = places.slice(full * lanes.width);
    let total: Local | null = null;
    if (full > 0) {
      total = lanes.locals
        .slice(1, full)
        .reduce((sum, local) => step(lanes.width, sum, local), registers.retain(lanes.locals[0]!));
      rest.unshift(
        ...Array.from({ length: lanes.width }, (_, lane) => ({ local: total!, lane, width: lanes.width })),
      );
    }
    const scalars = registers.assemble(x.dtype, 1, rest);
    if (total !== null) registers.release(total);
    const [first, ...others] = scalars as [Local, ...Local[]];
    const sum = others.reduce((s, local) => {
      const next = step(1, s, local);
      registers.release(local);
      return next;
    }, first);
    frame.setLanes(y, 1, [sum]);
    return;
  }
  const width = lanesOf(x.dtype);
  const terms = over.map((offset) =>
    frame.arranged(
      x,
      width,
      kept.map((k) => k + offset),
      `row${node.id}:${offset}`,
    ),
  );
  const locals = terms[0]!.map((first, k) =>
    terms.slice(1).reduce((sum, term) => step(width, sum, term[k]!), registers.retain(first)),
  );
  frame.setLanes(y, width, locals);
}

/** A reduction of what `nodes` compute (or of the operand, if there are none), in one pass over memory. */
export function emitReduction(frame: Frame, node: Node, nodes: readonly Node[]): void {
  const { code } = frame;
  const [x, y] = [node.inputs[0] as Value, node.outputs[0]!];
  const shape = shapeOf(x);
  const reduced = axesOf(node);
  const kept = shape.flatMap((_, axis) => (reduced.includes(axis) ? [] : [axis]));
  const order = [...kept, ...shape.flatMap((_, axis) => (reduced.includes(axis) ? [axis] : []))];
  const reader = new GroupReader(frame, nodes, shape, [x]);
  const target = frame.destination(y);
  const bytes = bytesOf(y.dtype);
  const keptShape = kept.map((axis) => shape[axis]!);
  const outStrides = contiguous(y.dtype, keptShape, 0, null).strides.map((stride) => stride * bytes);
  const { sizes, walks, barrier } = collapse(
    order.map((axis) => shape[axis]!),
    [
      ...reader.strides().map((strides) => order.map((axis) => strides[axis]!)),
      order.map((_, i) => (i < kept.length ? outStrides[i]! : 0)),
    ],
    kept.length,
  );
  const split = barrier ?? sizes.length;
  const out = walks.at(-1)!;
  const operands = walks.slice(0, -1);
  // along the last reduced axis if the operands are neighbours there, else along the last kept one
  const adjacent = (axis: number) =>
    axis >= 0 &&
    sizes[axis]! >= reader.width &&
    reader.walked.some(({ view }, i) => operands[i]![axis] === bytesOf(view.dtype)) &&
    reader.walked.every(({ view }, i) => [0, bytesOf(view.dtype)].includes(operands[i]![axis]!));
  const last = sizes.length - 1;
  const within = last >= split && adjacent(last);
  const across = !within && adjacent(split - 1) && out[split - 1] === bytes;
  const vectorAxis = reader.width > 1 ? (within ? last : across ? split - 1 : null) : null;
  if (vectorAxis === null) reader.width = 1;
  reader.prepare();
  const { width } = reader;
  const unroll = within && width > 1 ? 4 : 1;
  const combiner = combiners[node.op.type]!;
  const isSum = combiner.type === "Add" && y.dtype === "float32";
  const block = isSum ? blockOf(sizes, split, within ? width * unroll : 1) : null;
  const along = within && width > 1 ? { width, count: unroll } : null;
  const accumulators = new Accumulators(frame, combiner, y.dtype, along, block !== null);
  emitNest(code, {
    sizes,
    walks: [...reader.walked.map(({ view }) => view), target].map(({ address, dynamic }, i) => ({
      strides: walks[i]!,
      address,
      dynamic,
    })),
    vectorAxis,
    width,
    unroll,
    ...(block === null ? {} : { blocks: { ...block, close: () => accumulators.close() } }),
    around: {
      axis: split,
      enter: (taken) => accumulators.begin(taken),
      leave(taken, cursors) {
        storeCells(code, target, along === null ? taken : 1, cursors.at(-1)!, () => accumulators.push());
        accumulators.free();
      },
    },
    body(taken, cursors, part) {
      const { push, free } = reader.compute(
        taken,
        cursors,
        operands
          .map((strides) => strides[last] ?? 0)
          .map((stride, i) => (vectorAxis === null ? stride : operands[i]![vectorAxis]!)),
      );
      accumulators.take(taken, part, () => push(x));
      free();
    },
  });
  reader.end();
  frame.setView(y, target);
}
