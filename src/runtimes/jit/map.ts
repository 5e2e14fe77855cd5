import type { Node, Value } from "../../graph/graph.js";
import { type Application, lanesOf, type Width } from "./cell.js";
import { loadScalar, loadVector, storeScalar, storeVector } from "./cells.js";
import { emitCell, widthOf } from "./elementwise.js";
import { broadcastOffsets, type Frame, shapeOf } from "./frame.js";
import { type Cursor, collapse, emitNest, type Walk } from "./nest.js";
import { broadcastStrides, bytesOf, type View } from "./view.js";
import type { Code, Local, Push } from "./wasm/index.js";

/** What there is to know of a node to compute it element by element. */
export function applicationOf(node: Node): Application {
  const from = node.inputs.map((value) => value!.dtype);
  return { type: node.op.type, attributes: node.attributes, from, to: node.outputs[0]!.dtype };
}

/** An elementwise node on small tensors: one instruction per vector, no memory. */
export function emitSmallMap(frame: Frame, node: Node): void {
  const { unit, code, registers } = frame;
  const application = applicationOf(node);
  const output = node.outputs[0]!;
  const shape = shapeOf(output);
  const size = shape.reduce((p, d) => p * d, 1);
  const width = size === 1 ? 1 : widthOf(application);
  const operands = node.inputs.map((value) =>
    frame.arranged(value!, width, broadcastOffsets(value!, shape), `to${shape}`),
  );
  const locals = Array.from({ length: Math.ceil(size / width) }, (_, k) => {
    emitCell(
      unit,
      code,
      application,
      width,
      operands.map((cells) => () => code.get(cells[k]!)),
    );
    return registers.keep(output.dtype, width);
  });
  frame.setLanes(output, width, locals);
}

/** Elementwise nodes of one shape, computed in one pass; only what others need is stored. */
export interface MapGroup {
  readonly shape: readonly number[];
  readonly nodes: readonly Node[];
  readonly stored: ReadonlySet<Value>;
}

/** How wide the vectors are in which all nodes of a group can be computed. */
function groupWidth(nodes: readonly Node[]): Width {
  const widths = nodes.map((node) => widthOf(applicationOf(node)));
  const floats = new Set(
    nodes.flatMap((node) =>
      [...node.inputs, ...node.outputs].map((value) => value!.dtype).filter((dtype) => dtype !== "bool"),
    ),
  );
  if (floats.size !== 1) return floats.size === 0 ? 4 : 1;
  const lanes = lanesOf([...floats][0]!);
  return widths.every((width) => width === lanes || width === 4) ? lanes : 1;
}

/** A group's operands and how they are read: once before the loops, or at each element. */
export class GroupReader {
  readonly #splats: Local[] = [];
  readonly #scalars = new Map<Value, Push>();
  readonly walked: { readonly value: Value; readonly view: View }[] = [];
  width: Width;

  constructor(
    readonly frame: Frame,
    readonly nodes: readonly Node[],
    readonly shape: readonly number[],
    /** values that are read besides those of the nodes */
    extra: readonly Value[] = [],
  ) {
    this.width = nodes.length === 0 ? lanesOf(extra[0]!.dtype) : groupWidth(nodes);
    const inside = new Set(nodes.flatMap((node) => node.outputs));
    const outside = new Set([...nodes.flatMap((node) => node.inputs as Value[]), ...extra]);
    for (const value of outside) {
      if (inside.has(value)) continue;
      const size = shapeOf(value).reduce((p, d) => p * d, 1);
      if (size === 1) this.#scalars.set(value, frame.scalar(value));
      else this.walked.push({ value, view: frame.viewOf(value) });
    }
  }

  /** Strides in bytes of each operand in memory. */
  strides(): number[][] {
    return this.walked.map(({ view }) =>
      broadcastStrides(view, this.shape).map((stride) => stride * bytesOf(view.dtype)),
    );
  }

  /** Puts the operands of one element into vectors, once, before the loops. */
  prepare(): void {
    if (this.width === 1) return;
    const { registers } = this.frame;
    for (const [value, push] of this.#scalars) {
      const vector = this.frame.arranged(value, this.width, new Array(this.width).fill(0), "splat")[0]!;
      registers.retain(vector);
      this.#splats.push(vector);
      this.#vectors.set(value, () => this.frame.code.get(vector));
      this.#scalars.set(value, push);
    }
  }
  readonly #vectors = new Map<Value, Push>();

  /** Computes the nodes at one place of the nest. What comes back reads values; `free` ends it. */
  compute(
    width: Width,
    cursors: readonly Cursor[],
    strides: readonly number[],
  ): { push: (value: Value) => void; free: () => void } {
    const { code, unit } = this.frame;
    const cells = new Map<Value, Local>();
    const push = (value: Value): void => {
      const known = cells.get(value);
      if (known !== undefined) {
        code.get(known);
        return;
      }
      const scalar = width > 1 ? this.#vectors.get(value) : this.#scalars.get(value);
      if (scalar !== undefined) {
        scalar();
        return;
      }
      const at = this.walked.findIndex((operand) => operand.value === value);
      loadCells(code, this.walked[at]!.view, width, cursors[at]!, strides[at]!);
      const local = code.keep(width > 1 ? "v128" : typeOf(value));
      cells.set(value, local);
      code.get(local);
    };
    for (const node of this.nodes) {
      const operands = node.inputs.map((value) => () => push(value!));
      // each operand once on the stack before the instruction: loads into locals must not come in between
      for (const value of node.inputs) {
        if (cells.has(value!) || this.#scalars.has(value!)) continue;
        push(value!);
        code.op("drop");
      }
      emitCell(unit, code, applicationOf(node), width, operands);
      const output = node.outputs[0]!;
      cells.set(output, code.keep(width > 1 ? "v128" : typeOf(output)));
    }
    return {
      push,
      free: () => {
        for (const local of cells.values()) code.free(local);
      },
    };
  }

  end(): void {
    for (const local of this.#splats) this.frame.registers.release(local);
  }
}

function typeOf(value: Value) {
  if (value.dtype === "float64") return "f64" as const;
  if (value.dtype === "float32") return "f32" as const;
  return value.dtype === "int64" || value.dtype === "uint64" ? ("i64" as const) : ("i32" as const);
}

/** Pushes `width` elements from a cursor, a stride (in bytes) apart: 0, or that of neighbours, or any. */
export function loadCells(code: Code, view: View, width: Width, cursor: Cursor, stride: number): void {
  const { dtype } = view;
  const bytes = bytesOf(dtype);
  cursor.pointer();
  if (width === 1) loadScalar(code, dtype, cursor.offset);
  else if (stride === bytes) loadVector(code, dtype, width, cursor.offset, width);
  else if (dtype === "bool") {
    code.op("drop");
    for (let i = 0; i < 4; i++) {
      code.i32(0);
      cursor.pointer();
      code.access("i32.load8_u", cursor.offset + (width === 2 ? i >> 1 : i) * stride).op("i32.sub");
      if (i === 0) code.vector("i32x4.splat");
      else code.lane("i32x4.replace_lane", i);
    }
  } else {
    code.vectorAccess(width === 2 ? "v128.load64_splat" : "v128.load32_splat", cursor.offset);
    if (stride === 0) return;
    for (let i = 1; i < width; i++) {
      const vector = code.keep("v128");
      cursor.pointer();
      code.get(vector);
      const name = width === 2 ? "v128.load64_lane" : "v128.load32_lane";
      code.laneAccess(name, cursor.offset + i * stride, i);
      code.free(vector);
    }
  }
}

/** Pushes nothing: stores what `push` pushes at a cursor. The elements must be neighbours, or one. */
export function storeCells(code: Code, view: View, width: Width, cursor: Cursor, push: Push): void {
  cursor.pointer();
  push();
  if (width === 1) storeScalar(code, view.dtype, cursor.offset);
  else storeVector(code, view.dtype, width, cursor.offset, width);
}

/** Writes a group of elementwise nodes on tensors in memory. */
export function emitMap(frame: Frame, { shape, nodes, stored }: MapGroup): void {
  const { code } = frame;
  const reader = new GroupReader(frame, nodes, shape);
  const targets = [...stored].map((value) => ({ value, view: frame.destination(value) }));
  const targetStrides = targets.map(({ view }) => view.strides.map((s) => s * bytesOf(view.dtype)));
  const { sizes, walks } = collapse(shape, [...reader.strides(), ...targetStrides]);
  const axis = sizes.length - 1;
  const isVector =
    reader.width > 1 &&
    axis >= 0 &&
    sizes[axis]! >= reader.width &&
    walks.every((strides) => strides[axis]! >= 0) &&
    targets.every(({ view }, i) => walks[reader.walked.length + i]![axis] === bytesOf(view.dtype));
  if (!isVector) reader.width = 1;
  reader.prepare();
  const views = [...reader.walked, ...targets];
  const inner = walks.map((strides) => strides[axis] ?? 0);
  emitNest(code, {
    sizes,
    walks: views.map(
      ({ view }, i): Walk => ({ strides: walks[i]!, address: view.address, dynamic: view.dynamic }),
    ),
    vectorAxis: isVector ? axis : null,
    width: reader.width,
    body(width, cursors) {
      const { push, free } = reader.compute(width, cursors, inner);
      targets.forEach(({ value, view }, i) => {
        storeCells(code, view, width, cursors[reader.walked.length + i]!, () => push(value));
      });
      free();
    },
  });
  reader.end();
  for (const { value, view } of targets) frame.setView(value, view);
}

/** Copies a view of any strides into another. */
export function emitCopy(frame: Frame, from: View, to: View): void {
  const { code } = frame;
  const strides = (view: View) => view.strides.map((stride) => stride * bytesOf(view.dtype));
  const { sizes, walks } = collapse(from.shape, [strides(from), strides(to)]);
  const axis = sizes.length - 1;
  const bytes = bytesOf(from.dtype);
  const width: Width = bytes === 8 ? 2 : bytes === 4 ? 4 : 1;
  const isVector =
    width > 1 && axis >= 0 && sizes[axis]! >= width && walks[1]![axis] === bytes && walks[0]![axis]! >= 0;
  // bits are copied, whatever they mean
  const raw = { ...from, dtype: bytes === 8 ? "float64" : bytes === 4 ? "float32" : from.dtype } as View;
  emitNest(code, {
    sizes,
    walks: [from, to].map(({ address, dynamic }, i) => ({ strides: walks[i]!, address, dynamic })),
    vectorAxis: isVector ? axis : null,
    width: isVector ? width : 1,
    body: (taken, [source, target]) =>
      storeCells(code, raw, taken, target!, () => loadCells(code, raw, taken, source!, walks[0]![axis] ?? 0)),
  });
}
