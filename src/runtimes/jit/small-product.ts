import type { Node, Value } from "../../graph/graph.js";
import { lanesOf, type Width } from "./cell.js";
import { broadcastOffsets, type Frame } from "./frame.js";
import { productOf } from "./product.js";
import { bytesOf, isContiguous } from "./view.js";
import type { Local, Vector } from "./wasm/index.js";

/** A small product: rows of B times single elements of A, added up in locals. */
export function emitSmallProduct(frame: Frame, node: Node): void {
  const { code, registers } = frame;
  const { a, b, c, rows, inner, columns, transA, transB } = productOf(node);
  const { dtype } = a;
  const width = lanesOf(dtype);
  const prefix = width === 2 ? "f64x2" : "f32x4";
  const perRow = Math.ceil(columns / width);
  const rowOf = matrixRows(frame, b, inner, columns, transB, width);
  const splat = (i: number, k: number): Local => {
    const at = transA ? k * rows + i : i * inner + k;
    return frame.arranged(a, width, new Array(width).fill(at), `splat${at}`)[0]!;
  };
  const starts =
    c === null
      ? null
      : Array.from({ length: rows }, (_, i) => {
          const offsets = broadcastOffsets(c, [rows, columns]).slice(i * columns, (i + 1) * columns);
          return frame.arranged(c, width, offsets, `row${offsets}`);
        });
  const add = (x: Local, y: Local): Local => {
    code
      .get(x)
      .get(y)
      .vector(`${prefix}.add` as Vector);
    registers.release(x);
    registers.release(y);
    return registers.keep(dtype, width);
  };
  const cells: Local[][] = [];
  for (let i = 0; i < rows; i++) {
    const row: Local[] = [];
    for (let v = 0; v < perRow; v++) {
      // several chains of additions side by side, because one is slow
      const chains: (Local | null)[] = new Array(Math.min(4, Math.max(1, Math.ceil(inner / 3)))).fill(null);
      if (starts !== null) chains[0] = registers.retain(starts[i]![v]!);
      for (let k = 0; k < inner; k++) {
        const chain = k % chains.length;
        const before = chains[chain]!;
        code.get(splat(i, k));
        rowOf(k, v);
        if (before !== null && frame.unit.fused) {
          code.get(before).vector(`${prefix}.relaxed_madd` as Vector);
          registers.release(before);
          chains[chain] = registers.keep(dtype, width);
          continue;
        }
        code.vector(`${prefix}.mul` as Vector);
        if (before !== null) {
          const term = registers.keep(dtype, width);
          chains[chain] = add(before, term);
        } else chains[chain] = registers.keep(dtype, width);
      }
      row.push((chains.filter((chain) => chain !== null) as Local[]).reduce(add));
    }
    cells.push(row);
  }
  settleRows(frame, node.outputs[0]!, cells, rows, columns, width);
}

/** Pushes vectors of rows of a matrix: straight from memory where it has rows, else gathered from locals. */
function matrixRows(
  frame: Frame,
  b: Value,
  inner: number,
  columns: number,
  transposed: boolean,
  width: Width,
): (k: number, v: number) => void {
  const { code } = frame;
  const view = frame.knownView(b);
  const bytes = bytesOf(b.dtype);
  if (view !== null && !transposed && isContiguous(view)) {
    return (k, v) => {
      const count = Math.min(width, columns - v * width);
      const offset = view.address + (k * columns + v * width) * bytes;
      if (view.dynamic === null) code.i32(0);
      else code.get(view.dynamic);
      if (count === width) code.vectorAccess("v128.load", offset);
      else if (width === 2) code.vectorAccess("v128.load64_zero", offset);
      else if (count === 1) code.vectorAccess("v128.load32_zero", offset);
      else {
        code.vectorAccess("v128.load64_zero", offset);
        if (count === 3) {
          const low = code.keep("v128");
          if (view.dynamic === null) code.i32(0);
          else code.get(view.dynamic);
          code.get(low).laneAccess("v128.load32_lane", offset + 8, 2);
          code.free(low);
        }
      }
    };
  }
  return (k, v) => {
    const index = Array.from({ length: Math.min(width, columns - v * width) }, (_, lane) => {
      const j = v * width + lane;
      return transposed ? j * inner + k : k * columns + j;
    });
    code.get(frame.arranged(b, width, index, `row${index}`)[0]!);
  };
}

/** Rows of vectors as one tensor: packed anew where rows do not fill vectors. */
function settleRows(
  frame: Frame,
  y: Value,
  cells: readonly Local[][],
  rows: number,
  columns: number,
  width: Width,
): void {
  const { registers } = frame;
  const size = rows * columns;
  if (size > 1 && (rows === 1 || columns % width === 0)) {
    frame.setLanes(y, width, cells.flat());
    return;
  }
  const places = cells.flatMap((row) =>
    Array.from({ length: columns }, (_, j) => ({
      local: row[Math.floor(j / width)]!,
      lane: j % width,
      width,
    })),
  );
  const target = size === 1 ? 1 : width;
  frame.setLanes(y, target, registers.assemble(y.dtype, target, places));
  for (const local of cells.flat()) registers.release(local);
}
