import { numbers, sizeOf, stridesOf } from "../../core/tensor.js";
import { type Dim, type Node, normaliseAxis, type Value } from "../../graph/graph.js";
import { lanesOf } from "./cell.js";
import { pushBase } from "./cells.js";
import { type Frame, isSmall, offsetsOf, shapeOf } from "./frame.js";
import { isOpen } from "./open.js";
import { broadcastStrides, bytesOf, contiguous, isContiguous, reshaped, type View } from "./view.js";

// Operators that move elements without changing one. Where it can be, the result is another view of the same memory,
// or the same locals in another order.

/** Where the elements of each output are, seen from the operand; `null` if it takes a copy. */
type Look = (node: Node, view: View) => readonly (View | null)[];

const reshape: Look = ({ outputs }, view) => [reshaped(view, shapeOf(outputs[0]!))];

/** The part of a view from `start` on along an axis, `count` elements `step` apart. */
function part(view: View, axis: number, start: number, count: number, step = 1): View {
  return {
    ...view,
    shape: view.shape.with(axis, count),
    strides: view.strides.with(axis, view.strides[axis]! * step),
    address: view.address + start * view.strides[axis]! * bytesOf(view.dtype),
  };
}

const looks: Readonly<Record<string, Look>> = {
  Reshape: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Flatten: reshape,
  Identity: reshape,
  Transpose({ attributes }, view) {
    const rank = view.shape.length;
    const perm =
      (attributes.perm as readonly number[] | undefined) ??
      Array.from({ length: rank }, (_, i) => rank - 1 - i);
    return [{ ...view, shape: perm.map((a) => view.shape[a]!), strides: perm.map((a) => view.strides[a]!) }];
  },
  Expand({ outputs }, view) {
    const shape = shapeOf(outputs[0]!);
    return [{ ...view, shape, strides: broadcastStrides(view, shape) }];
  },
  Split({ attributes, outputs }, view) {
    const axis = normaliseAxis((attributes.axis as number | undefined) ?? 0, view.shape.length, "Split");
    let at = 0;
    return outputs.map((output) => {
      const count = shapeOf(output)[axis]!;
      const result = part(view, axis, at, count);
      at += count;
      return result;
    });
  },
  Slice({ inputs, outputs }, view) {
    const ints = (i: number) => (inputs[i] ? numbers(inputs[i]!.constant!) : null);
    const starts = ints(1)!;
    const steps = ints(4) ?? starts.map(() => 1);
    const axes = ints(3) ?? starts.map((_, i) => i);
    const shape = shapeOf(outputs[0]!);
    const sliced = axes.reduce((now, given, i) => {
      const axis = normaliseAxis(given, view.shape.length, "Slice");
      const dim = view.shape[axis]!;
      const positive = starts[i]! < 0 ? starts[i]! + dim : starts[i]!;
      const first = Math.min(Math.max(positive, 0), steps[i]! < 0 ? dim - 1 : dim);
      return part(now, axis, shape[axis] === 0 ? 0 : first, shape[axis]!, steps[i]!);
    }, view);
    return [sliced];
  },
  Gather({ inputs, attributes }, view) {
    const index = inputs[1]!.constant;
    if (index === null || index.shape.length > 0) return [null];
    const axis = normaliseAxis((attributes.axis as number | undefined) ?? 0, view.shape.length, "Gather");
    const [given] = numbers(index);
    const dim = view.shape[axis]!;
    return [dropAxis(part(view, axis, given! < 0 ? given! + dim : given!, 1), axis)];
  },
};

export function dropAxis(view: View, axis: number): View {
  return { ...view, shape: view.shape.toSpliced(axis, 1), strides: view.strides.toSpliced(axis, 1) };
}

export function isMovement({ op, inputs }: Node): boolean {
  if (op.type !== "Gather") return op.type in looks;
  return inputs[1]!.constant !== null && inputs[1]!.shape.length === 0 && !isOpen(inputs[0]!);
}

/** A node that only looks at its operand in another way. */
export function emitMovement(frame: Frame, node: Node): void {
  const { registers } = frame;
  const x = node.inputs[0]!;
  const look = looks[node.op.type]!;
  const shape = shapeOf(x);
  if (frame.knownLanes(x) !== null && isSmall(x)) {
    // as if it were in memory at 0: the addresses are the elements
    const seen = look(node, contiguous(x.dtype, shape, 0, null));
    const fits = node.outputs.every((output) => isSmall(output));
    if (fits && seen.every((view) => view !== null)) {
      seen.forEach((view, i) => {
        const output = node.outputs[i]!;
        const size = sizeOf(view!.shape);
        const start = view!.address / bytesOf(x.dtype);
        const index = offsetsOf(view!).map((offset) => offset + start);
        const width = size === 1 ? 1 : lanesOf(x.dtype);
        const locals = frame.arranged(x, width, index, `at${index}`);
        frame.setLanes(
          output,
          width,
          locals.map((local) => registers.retain(local)),
        );
      });
      return;
    }
  }
  const from = frame.viewOf(x);
  look(node, from).forEach((view, i) => {
    const output = node.outputs[i]!;
    // no view runs backwards: whoever reads it would have to reckon with that
    const isPlain = view?.strides.every((stride) => stride >= 0) && !frame.hasDestination(output);
    if (view !== null && isPlain) frame.alias(output, view);
    else {
      const target = frame.destination(output);
      const source = view ?? { ...target, dtype: from.dtype };
      if (view === null)
        frame.copyStrided(from, { ...target, shape: from.shape, strides: stridesOf(from.shape) });
      else frame.copyStrided(source, target);
      frame.setView(output, target);
    }
  });
}

/** The same elements in a row: what a product wants to read. */
export function emitPacked(frame: Frame, node: Node): void {
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  if (frame.knownLanes(x) !== null) {
    frame.setLanes(
      y,
      frame.lanesOf(x).width,
      frame.lanesOf(x).locals.map((local) => frame.registers.retain(local)),
    );
    return;
  }
  const from = frame.viewOf(x);
  if (isContiguous(from)) frame.alias(y, from);
  else {
    const target = frame.destination(y);
    frame.copyStrided(from, target);
    frame.setView(y, target);
  }
}

export function emitConcat(frame: Frame, node: Node): void {
  const y = node.outputs[0]!;
  const inputs = node.inputs as readonly Value[];
  const axis = normaliseAxis(node.attributes.axis as number, y.shape.length, "Concat");
  const inLocals = inputs.some((value) => value.constant === null && frame.knownLanes(value) !== null);
  if (isSmall(y) && inLocals) {
    const outer = sizeOf(shapeOf(y).slice(0, axis));
    const parts = inputs.map((value) => {
      const lanes = frame.lanesOf(value);
      // masks of bools may differ in width: as scalars they agree
      const places =
        value.dtype === "bool"
          ? frame
              .arranged(
                value,
                1,
                Array.from({ length: sizeOf(lanes.shape) }, (_, i) => i),
                "all",
              )
              .map((local) => ({ local, lane: -1, width: 1 as const }))
          : frame.places(value);
      return { places, run: places.length / outer };
    });
    const places = Array.from({ length: outer }, (_, o) =>
      parts.flatMap((from) => from.places.slice(o * from.run, (o + 1) * from.run)),
    ).flat();
    const width = places.length === 1 ? 1 : lanesOf(y.dtype);
    frame.setLanes(y, width, frame.registers.assemble(y.dtype, width, places));
    return;
  }
  const target = frame.destination(y);
  if (isOpen(y)) {
    emitOpenConcat(frame, inputs, target);
    frame.setView(y, target);
    return;
  }
  let at = 0;
  for (const value of inputs) {
    const count = shapeOf(value)[axis]!;
    const from = frame.viewOf(value);
    if (count > 0 && !isThere(from, target)) frame.copyStrided(from, part(target, axis, at, count));
    at += count;
  }
  frame.setView(y, target);
}

/** Whether a part lies where the whole begins, as rows do that were stacked there. */
function isThere(part: View, whole: View): boolean {
  return part.dynamic === null && part.address === whole.address && part.buffer === whole.buffer;
}

/** One tensor after the other along the leading axis, where some have an open number of rows. */
function emitOpenConcat(frame: Frame, inputs: readonly Value[], target: View): void {
  const { code, unit } = frame;
  const rowBytes = sizeOf(target.shape.slice(1)) * bytesOf(target.dtype);
  // bytes written so far, beside those that are known
  const moved = code.local("i32");
  code.i32(0).set(moved);
  let address = target.address;
  for (const value of inputs) {
    const [dim] = value.shape as [Dim];
    const from = frame.viewOf(value);
    if (typeof dim === "number") {
      const to = { ...target, shape: [dim, ...target.shape.slice(1)], address, dynamic: moved };
      if (dim > 0) frame.copyStrided(from, to);
      address += dim * rowBytes;
    } else {
      unit.pushRows(code, dim);
      const count = code.i32(rowBytes).op("i32.mul").keep("i32");
      if (!isThere(from, target)) {
        code.get(moved).i32(address).op("i32.add");
        pushBase(code, from.dynamic);
        code.i32(from.address).op("i32.add").get(count).copyMemory();
      }
      code.get(moved).get(count).op("i32.add").set(moved);
      code.free(count);
    }
  }
  code.free(moved);
}
