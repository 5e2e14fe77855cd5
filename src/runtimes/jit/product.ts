import { sizeOf } from "../../core/tensor.js";
import type { Node, Value } from "../../graph/graph.js";
import { loadScalar, storeScalar, storeVector } from "./cells.js";
import { lanesOf, pushNumber, pushSplat, type Width } from "./elementwise.js";
import { broadcastOffsets, type Frame, shapeOf, smallLimit } from "./frame.js";
import { emitNest } from "./nest.js";
import { broadcastStrides, bytesOf, isContiguous, type View } from "./view.js";
import type { Code, Local, Plain, Vector } from "./wasm/index.js";

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

/** Whether a product is small enough to be written out, multiplication by multiplication. */
export function isSmallProduct(node: Node): boolean {
  const { a, b, rows, inner, columns } = productOf(node);
  return (
    a.shape.length === 2 &&
    b.shape.length === 2 &&
    lanesOf(a.dtype) > 1 &&
    rows * columns <= smallLimit &&
    rows * inner <= smallLimit &&
    inner * columns <= 8 * smallLimit &&
    rows * inner * columns <= 1024
  );
}

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
        code.get(splat(i, k));
        rowOf(k, v);
        code.vector(`${prefix}.mul` as Vector);
        const before = chains[chain]!;
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

/** Rows and vectors of columns that one block keeps in registers. */
const block = { rows: 4, vectors: 2 };

/** A product in memory, in blocks of rows and columns that stay in registers; leading axes are batches. */
export function emitProduct(frame: Frame, node: Node): void {
  const { code } = frame;
  const product = productOf(node);
  const { rows, inner, columns } = product;
  const y = node.outputs[0]!;
  const bytes = bytesOf(y.dtype);
  const [a, b] = [frame.viewOf(product.a), frame.viewOf(product.b)];
  const c = product.c === null ? null : frame.viewOf(product.c);
  const target = frame.destination(y);
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
  frame.setView(y, target);
}

/** Bytes from row to row and from column to column. */
interface Matrix {
  readonly row: number;
  readonly column: number;
}

interface Corner {
  readonly a: Local;
  readonly b: Local;
  readonly c: Local | null;
  readonly y: Local;
}

class Kernel {
  readonly code: Code;
  readonly lanes: Width;
  readonly bytes: number;

  constructor(
    readonly frame: Frame,
    readonly dtype: "float64" | "float32",
    readonly inner: number,
    readonly sides: { a: Matrix; b: Matrix; c: Matrix | null; y: Matrix },
  ) {
    this.code = frame.code;
    this.lanes = lanesOf(dtype);
    this.bytes = bytesOf(dtype);
  }

  /** All blocks: columns outermost, so that a stripe of B stays in the cache. */
  blocks(rows: number, columns: number, corner: Corner): void {
    const isWide = this.sides.b.column === this.bytes && this.sides.y.column === this.bytes;
    const stripes = isWide ? [this.lanes * block.vectors, this.lanes, columns % this.lanes] : [1];
    let left = columns;
    const at = {
      b: this.#copy(corner.b),
      c: corner.c === null ? null : this.#copy(corner.c),
      y: this.#copy(corner.y),
    };
    for (const stripe of stripes) {
      if (stripe === 0) continue;
      const count = Math.floor(left / stripe);
      left -= count * stripe;
      this.#times(count, () => {
        this.#rows(rows, stripe, { a: corner.a, ...at });
        this.#advance(at.b, stripe * this.sides.b.column);
        if (at.c !== null) this.#advance(at.c, stripe * this.sides.c!.column);
        this.#advance(at.y, stripe * this.sides.y.column);
      });
    }
    for (const local of [at.b, at.y, ...(at.c === null ? [] : [at.c])]) this.code.free(local);
  }

  #rows(rows: number, stripe: number, corner: Corner): void {
    const a = this.#copy(corner.a);
    const c = corner.c === null ? null : this.#copy(corner.c);
    const y = this.#copy(corner.y);
    const go = (height: number) => {
      this.#block(height, stripe, { a, b: corner.b, c, y });
      this.#advance(a, height * this.sides.a.row);
      if (c !== null) this.#advance(c, height * this.sides.c!.row);
      this.#advance(y, height * this.sides.y.row);
    };
    this.#times(Math.floor(rows / block.rows), () => go(block.rows));
    if (rows % block.rows > 0) go(rows % block.rows);
    for (const local of [a, y, ...(c === null ? [] : [c])]) this.code.free(local);
  }

  /**
   * `height` rows by `stripe` columns of the product, in registers. Columns that do not fill a vector are computed in one
   * all the same: what it reads beyond them lies in memory too, and is not stored.
   */
  #block(height: number, stripe: number, { a, b, c, y }: Corner): void {
    const { code, sides, bytes } = this;
    const isWide = sides.b.column === bytes && sides.y.column === bytes;
    const width: Width = isWide ? this.lanes : 1;
    const vectors = Math.ceil(stripe / width);
    const kept = stripe < width ? stripe : width;
    const type = width === 1 ? (this.dtype === "float64" ? "f64" : "f32") : "v128";
    const scalar = this.dtype === "float64" ? "f64" : "f32";
    const apply = (name: string) =>
      width === 1
        ? code.op(`${scalar}.${name}` as Plain)
        : code.vector(`${this.lanes === 2 ? "f64x2" : "f32x4"}.${name}` as Vector);
    const splat = this.lanes === 2 ? "v128.load64_splat" : "v128.load32_splat";
    const load = (pointer: Local, offset: number, step: number) => {
      code.get(pointer);
      if (width === 1) loadScalar(code, this.dtype, offset);
      else if (step === 0) code.vectorAccess(splat, offset);
      else if (step === bytes) code.vectorAccess("v128.load", offset);
      else {
        code.vectorAccess(splat, offset);
        for (let lane = 1; lane < kept; lane++) {
          const vector = code.keep("v128");
          code.get(pointer).get(vector);
          code.laneAccess(
            this.lanes === 2 ? "v128.load64_lane" : "v128.load32_lane",
            offset + lane * step,
            lane,
          );
          code.free(vector);
        }
      }
    };
    const totals = Array.from({ length: height }, (_, i) =>
      Array.from({ length: vectors }, (_, v) => {
        if (c !== null) load(c, i * sides.c!.row + v * width * sides.c!.column, sides.c!.column);
        else if (width === 1) pushNumber(code, this.dtype, 0);
        else pushSplat(this.frame.unit, code, width, 0);
        return code.keep(type);
      }),
    );
    const [pa, pb] = [this.#copy(a), this.#copy(b)];
    this.#times(this.inner, () => {
      const row = Array.from({ length: vectors }, (_, v) => {
        load(pb, v * width * sides.b.column, sides.b.column);
        return code.keep(type);
      });
      for (let i = 0; i < height; i++) {
        code.get(pa);
        if (width === 1) loadScalar(code, this.dtype, i * sides.a.row);
        else code.vectorAccess(splat, i * sides.a.row);
        const element = code.keep(type);
        for (let v = 0; v < vectors; v++) {
          const total = totals[i]![v]!;
          code.get(total).get(element).get(row[v]!);
          apply("mul");
          apply("add");
          code.set(total);
        }
        code.free(element);
      }
      for (const local of row) code.free(local);
      this.#advance(pa, sides.a.column);
      this.#advance(pb, sides.b.row);
    });
    totals.forEach((row, i) => {
      row.forEach((total, v) => {
        code.get(y).get(total);
        const offset = i * sides.y.row + v * width * bytes;
        if (width === 1) storeScalar(code, this.dtype, offset);
        else storeVector(code, this.dtype, width, offset, kept);
        code.free(total);
      });
    });
    code.free(pa);
    code.free(pb);
  }

  #copy(local: Local): Local {
    this.code.get(local);
    return this.code.keep("i32");
  }

  #advance(pointer: Local, bytes: number): void {
    if (bytes !== 0) this.code.get(pointer).i32(bytes).op("i32.add").set(pointer);
  }

  #times(count: number, inner: () => void): void {
    const { code } = this;
    if (count === 0) return;
    if (count === 1) {
      inner();
      return;
    }
    code.i32(count);
    const counter = code.keep("i32");
    code.repeat(() => {
      inner();
      code.get(counter).i32(1).op("i32.sub").tee(counter);
    });
    code.free(counter);
  }
}

/** Multiplications of a product, batches included. */
export function multiplications(node: Node): number {
  return sizeOf(shapeOf(node.outputs[0]!)) * productOf(node).inner;
}
