import { lanesOf, pushNumber, pushSplat, type Width } from "./cell.js";
import { loadScalar, storeScalar, storeVector } from "./cells.js";
import type { Frame } from "./frame.js";
import { repeat } from "./nest.js";
import { type Panel, packColumns, panelRow } from "./panel.js";
import { bytesOf } from "./view.js";
import type { Code, Local, Plain, Vector } from "./wasm/index.js";
import { WideTotal } from "./wide-total.js";

/**
 * Rows and vectors of columns that one block keeps in registers. Larger blocks, and more than one product to each sum in a
 * round, make V8 spill: 1.4 to 2 times the time.
 */
const block = { rows: 4, vectors: 2 };

/** How many products are added up in float32 before their sum goes to a float64 total, and up to how many there is no need. */
const run = { length: 256, enough: 1024 };

/**
 * Columns are packed into panels where more rows than this are multiplied with a matrix of so many bytes, or where they are not
 * side by side; but not into panels that no cache holds.
 */
const packing = { rows: 16, bytes: 1 << 14, panel: 1 << 19 };

/** Bytes from row to row and from column to column. */
export interface Matrix {
  readonly row: number;
  readonly column: number;
}

/** Pointers to the first elements of the matrices. */
export interface Corner {
  readonly a: Local;
  readonly b: Local;
  readonly c: Local | null;
  readonly y: Local;
}

/** Vectors of columns of the widest stripe: two rows alone leave room for more of them. */
function widestOf(rows: number): number {
  return rows <= block.rows / 2 ? 2 * block.vectors : block.vectors;
}

/** The stripes that columns are computed in: of how many columns each, and how many of them one after the other. */
export function stripesOf(rows: number, columns: number, lanes: Width): { width: number; times: number }[] {
  const widths = [...new Set([widestOf(rows), block.vectors, 1])].map((vectors) => vectors * lanes);
  const stripes: { width: number; times: number }[] = [];
  let left = columns;
  for (const width of [...widths, columns % lanes]) {
    const times = width === 0 ? 0 : Math.floor(left / width);
    left -= times * width;
    if (times > 0) stripes.push({ width, times });
  }
  return stripes;
}

/** The loops of one product. */
export class Kernel {
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
    const packs = this.#packs(rows, widestOf(rows));
    const isWide = (packs || this.sides.b.column === this.bytes) && this.sides.y.column === this.bytes;
    const stripes = isWide ? stripesOf(rows, columns, this.lanes) : [{ width: 1, times: columns }];
    const { plan } = this.frame.unit;
    const buffer = packs ? plan.allocate(this.inner * widestOf(rows) * 16) : null;
    const at = {
      b: this.#copy(corner.b),
      c: corner.c === null ? null : this.#copy(corner.c),
      y: this.#copy(corner.y),
    };
    for (const { width: stripe, times } of stripes) {
      repeat(this.code, times, () => {
        if (buffer === null) this.rows(rows, stripe, { a: corner.a, ...at }, this.sides.b);
        else {
          const b = this.code.i32(buffer.address).keep("i32");
          const panel = this.#panel(stripe);
          packColumns(this.code, panel, this.inner, this.sides.b, at.b, b);
          this.rows(rows, stripe, { a: corner.a, ...at, b }, { row: panelRow(panel), column: this.bytes });
          this.code.free(b);
        }
        this.#advance(at.b, stripe * this.sides.b.column);
        if (at.c !== null) this.#advance(at.c, stripe * this.sides.c!.column);
        this.#advance(at.y, stripe * this.sides.y.column);
      });
    }
    for (const local of [at.b, at.y, ...(at.c === null ? [] : [at.c])]) this.code.free(local);
    if (buffer !== null) plan.release(buffer);
  }

  #packs(rows: number, vectors: number): boolean {
    const { b, y } = this.sides;
    if (this.lanes === 1 || y.column !== this.bytes || this.inner * vectors * 16 > packing.panel)
      return false;
    return b.column !== this.bytes || (rows >= packing.rows && this.inner * b.row > packing.bytes);
  }

  #panel(columns: number): Panel {
    const { dtype, lanes } = this;
    return { dtype, lanes, vectors: Math.ceil(columns / lanes), columns };
  }

  /** A stripe of columns of the product, in blocks of rows. @param b  of the matrix B where it is read from */
  rows(rows: number, stripe: number, corner: Corner, b: Matrix): void {
    const a = this.#copy(corner.a);
    const c = corner.c === null ? null : this.#copy(corner.c);
    const y = this.#copy(corner.y);
    const go = (height: number) => {
      this.#block(height, stripe, { a, b: corner.b, c, y }, b);
      this.#advance(a, height * this.sides.a.row);
      if (c !== null) this.#advance(c, height * this.sides.c!.row);
      this.#advance(y, height * this.sides.y.row);
    };
    repeat(this.code, Math.floor(rows / block.rows), () => go(block.rows));
    if (rows % block.rows > 0) go(rows % block.rows);
    for (const local of [a, y, ...(c === null ? [] : [c])]) this.code.free(local);
  }

  /**
   * `height` rows by `stripe` columns of the product, in registers. Columns that do not fill a vector are computed in one
   * all the same: what it reads beyond them lies in memory too, and is not stored.
   */
  #block(height: number, stripe: number, { a, b, c, y }: Corner, matrix: Matrix): void {
    const { code, bytes } = this;
    const sides = { ...this.sides, b: matrix };
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
    const addProducts = () => {
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
          if (width > 1 && this.frame.unit.fused) {
            code.get(element).get(row[v]!).get(total);
            apply("relaxed_madd");
          } else {
            code.get(total).get(element).get(row[v]!);
            apply("mul");
            apply("add");
          }
          code.set(total);
        }
        code.free(element);
      }
      for (const local of row) code.free(local);
      this.#advance(pa, sides.a.column);
      this.#advance(pb, sides.b.row);
    };
    if (this.dtype === "float64" || this.inner <= run.enough) repeat(code, this.inner, addProducts);
    else this.#inRuns(totals.flat(), width === 1 ? 1 : 4, addProducts);
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

  /** Adds products to sums run by run, with totals in memory: there are no registers left. */
  #inRuns(sums: readonly Local[], width: 1 | 4, addProducts: () => void): void {
    const { code, frame } = this;
    const buffer = frame.unit.plan.allocate(32 * sums.length);
    const totals = sums.map((_, i) => WideTotal.memory(code, width, buffer.address + 32 * i));
    const close = () => {
      for (const [i, total] of totals.entries()) total.add(sums[i]!);
    };
    for (const total of totals) total.clear();
    repeat(code, Math.floor(this.inner / run.length), () => {
      repeat(code, run.length, addProducts);
      close();
    });
    repeat(code, this.inner % run.length, addProducts);
    close();
    for (const [i, total] of totals.entries()) {
      total.push();
      code.set(sums[i]!);
    }
    frame.unit.plan.release(buffer);
  }

  #copy(local: Local): Local {
    this.code.get(local);
    return this.code.keep("i32");
  }

  #advance(pointer: Local, bytes: number): void {
    if (bytes !== 0) this.code.get(pointer).i32(bytes).op("i32.add").set(pointer);
  }
}
