import type { Node, Value } from "../../graph/graph.js";
import { type Application, lanesOf, type Width } from "./cell.js";
import { loadScalar, storeScalar } from "./cells.js";
import { loadCells, storeCells } from "./copy.js";
import { emitCell, widthOf } from "./elementwise.js";
import { broadcastOffsets, type Frame, isSmall, shapeOf } from "./frame.js";
import { emitArray, isShortFunction } from "./math/library.js";
import { type Cursor, collapse, emitNest, type Walk } from "./nest.js";
import { broadcastStrides, bytesOf, type View } from "./view.js";
import type { Local, Push } from "./wasm/index.js";

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

/** Whether a node is an elementary function of a whole array in memory. */
export function isArrayFunction(node: Node): boolean {
  return isShortFunction(node.op.type) && widthOf(applicationOf(node)) > 1 && !isSmall(node.outputs[0]!);
}

/**
 * An elementary function of a whole array: a function of the module, shared by all arrays of the length. Called for each
 * vector it takes three times as long, and written out wherever it is needed it makes functions that V8 allocates registers
 * badly in.
 *
 * @returns whether there is such a function
 */
function emitArrayFunction({ unit, code }: Frame, node: Node, length: number, from: View, to: View): boolean {
  if (!isArrayFunction(node)) return false;
  const { type } = node.op;
  const application = applicationOf(node);
  const width = widthOf(application) as 2 | 4;
  const { dtype } = node.outputs[0]!;
  const index = unit.function(`${type}/${dtype}[${length}]`, ["i32", "i32"], [], (target) => {
    const rest = length % width;
    const behind = emitArray(unit, target, type, width, (length - rest) / width, { from: 0, to: 1 });
    for (let i = 0; i < rest; i++) {
      const offset = behind + i * bytesOf(dtype);
      target.get(1);
      emitCell(unit, target, application, 1, [() => loadScalar(target.get(0), dtype, offset)]);
      storeScalar(target, dtype, offset);
    }
  });
  for (const { address, dynamic } of [from, to]) {
    code.i32(address);
    if (dynamic !== null) code.get(dynamic).op("i32.add");
  }
  code.call(index);
  return true;
}

/** Writes a group of elementwise nodes on tensors in memory. */
export function emitMap(frame: Frame, { shape, nodes, stored }: MapGroup): void {
  const { code } = frame;
  const reader = new GroupReader(frame, nodes, shape);
  const targets = [...stored].map((value) => ({ value, view: frame.destination(value) }));
  const targetStrides = targets.map(({ view }) => view.strides.map((s) => s * bytesOf(view.dtype)));
  const { sizes, walks } = collapse(shape, [...reader.strides(), ...targetStrides]);
  const axis = sizes.length - 1;
  if (nodes.length === 1 && sizes.length === 1 && reader.walked.length === 1 && targets.length === 1) {
    const packed = walks.every(([stride]) => stride === bytesOf(nodes[0]!.outputs[0]!.dtype));
    if (packed && emitArrayFunction(frame, nodes[0]!, sizes[0]!, reader.walked[0]!.view, targets[0]!.view)) {
      frame.setView(targets[0]!.value, targets[0]!.view);
      return;
    }
  }
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
