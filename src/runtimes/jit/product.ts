import type { Node, Value } from "../../graph/graph.js";
import { lanesOf } from "./cell.js";
import { type Frame, shapeOf } from "./frame.js";
import { emitNest } from "./nest.js";
import { Kernel, type Matrix } from "./product-kernel.js";
import type { ProductSum } from "./product-sum.js";
import { broadcastStrides, bytesOf, type View } from "./view.js";

// Products of matrices, Y = A B + C. Transposition is a matter of strides.

/** The matrices of a Gemm or MatMul, with their sizes. */
export interface Product {
  readonly a: Value;
  readonly b: Value;
  readonly c: Value | null;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly transA: boolean;
  readonly transB: boolean;
}

export function productOf({ inputs, outputs, attributes }: Node): Product {
  const [a, b, c] = inputs as [Value, Value, Value | null | undefined];
  const [rows, columns] = shapeOf(outputs[0]!).slice(-2) as [number, number];
  const transA = attributes.transA === 1;
  const inner = shapeOf(a).at(transA ? -2 : -1)!;
  return { a, b, c: c ?? null, rows, inner, columns, transA, transB: attributes.transB === 1 };
}

/**
 * Whether a product is small enough to be written out, multiplication by multiplication. Where a loop has more to do than
 * some twelve vectors, the trip through memory costs less than to arrange elements in locals.
 */
export function isSmallProduct(node: Node): boolean {
  const { a, b, rows, inner, columns } = productOf(node);
  const lanes = lanesOf(a.dtype);
  const isMatrix = a.shape.length === 2 && b.shape.length === 2;
  return isMatrix && lanes > 1 && rows * inner * columns <= 12 * lanes;
}

/** A product in memory. */
export function emitProduct(frame: Frame, node: Node): void {
  const y = node.outputs[0]!;
  const { c } = productOf(node);
  const target = frame.destination(y);
  emitInto(frame, node, c === null ? null : frame.viewOf(c), target);
  frame.setView(y, target);
}

/** A product that adds to a sum: the first of them to the rest, in its place if nothing else needs it. */
export function emitTerm(frame: Frame, node: Node, { rest, result }: ProductSum): void {
  const sofar = frame.knownView(result);
  if (sofar !== null) {
    emitInto(frame, node, sofar, sofar);
    return;
  }
  const start = rest === null ? null : frame.viewOf(rest);
  const own = rest === null ? null : frame.takeOver(rest);
  const target = own ?? frame.allocate(result);
  emitInto(frame, node, start, target);
  if (own === null) frame.setView(result, target);
  else frame.setOwned(result, own);
}

/** Y = A B + C, in blocks of rows and columns that stay in registers; leading axes are batches. */
function emitInto(frame: Frame, node: Node, c: View | null, target: View): void {
  const { code } = frame;
  const product = productOf(node);
  const { rows, inner, columns } = product;
  const y = node.outputs[0]!;
  const bytes = bytesOf(y.dtype);
  const [a, b] = [frame.viewOf(product.a), frame.viewOf(product.b)];
  const batch = shapeOf(y).slice(0, -2);
  const swap = (strides: readonly number[], swapped: boolean) => {
    const [outer, last] = strides.slice(-2).map((stride) => stride * bytes) as [number, number];
    return swapped ? ([last, outer] as const) : ([outer, last] as const);
  };
  const matrix = (view: View, swapped: boolean): Matrix => {
    const [row, column] = swap(view.strides, swapped);
    return { row, column };
  };
  const operands = [a, b, ...(c === null ? [] : [c]), target];
  const sides = {
    a: matrix(a, product.transA),
    b: matrix(b, product.transB),
    c: c === null ? null : matrix({ ...c, strides: broadcastStrides(c, [rows, columns]) }, false),
    y: matrix(target, false),
  };
  const batchStrides = operands.map((view, i) =>
    i === 2 && c !== null
      ? batch.map(() => 0)
      : broadcastStrides({ shape: view.shape.slice(0, -2), strides: view.strides.slice(0, -2) }, batch).map(
          (stride) => stride * bytes,
        ),
  );
  emitNest(code, {
    sizes: batch,
    walks: operands.map(({ address, dynamic }, i) => ({ strides: batchStrides[i]!, address, dynamic })),
    vectorAxis: null,
    width: 1,
    body(_, cursors) {
      const starts = cursors.map(({ pointer, offset }) => {
        pointer();
        code.i32(offset).op("i32.add");
        return code.keep("i32");
      });
      const at = (i: number) => starts[i]!;
      const kernel = new Kernel(frame, y.dtype as "float64" | "float32", inner, sides);
      kernel.blocks(rows, columns, {
        a: at(0),
        b: at(1),
        c: c === null ? null : at(2),
        y: at(operands.length - 1),
      });
      for (const local of starts) code.free(local);
    },
  });
}
