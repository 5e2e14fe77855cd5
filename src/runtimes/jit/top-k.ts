import { sizeOf } from "../../core/tensor.js";
import { type Node, normaliseAxis } from "../../graph/graph.js";
import { cellType, unsigned } from "./cell.js";
import { loadScalar, storeScalar } from "./cells.js";
import { type Frame, shapeOf } from "./frame.js";
import { packed } from "./indexing.js";
import { type Cursor, emitNest } from "./nest.js";
import { bytesOf } from "./view.js";
import type { Local, Plain } from "./wasm/index.js";

/**
 * TopK: each element goes where it belongs among the best so far, which stand in the result. Most are not better than the last
 * of these, which takes one comparison.
 */
export function emitTopK(frame: Frame, node: Node): void {
  const { code } = frame;
  const x = node.inputs[0]!;
  const [values, places] = [node.outputs[0]!, node.outputs[1]!];
  const shape = shapeOf(x);
  const axis = normaliseAxis((node.attributes.axis as number | undefined) ?? -1, shape.length, "TopK");
  const [dim, k] = [shape[axis]!, shapeOf(values)[axis]!];
  const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  const source = packed(frame, x);
  const [best, index] = [frame.destination(values), frame.destination(places)];
  const bytes = bytesOf(x.dtype);
  emitNest(code, {
    sizes: k === 0 ? [0] : [outer, inner],
    walks: [
      { strides: [dim * inner * bytes, bytes], address: source.address, dynamic: source.dynamic },
      { strides: [k * inner * bytes, bytes], address: best.address, dynamic: best.dynamic },
      { strides: [k * inner * 8, 8], address: index.address, dynamic: index.dynamic },
    ],
    vectorAxis: null,
    width: 1,
    body: (_, cursors) =>
      new Line(frame, node, { dim, k, inner, bytes }, cursors as [Cursor, Cursor, Cursor]).write(),
  });
  frame.setView(values, best);
  frame.setView(places, index);
}

/** The loops along one line of the operand. */
class Line {
  readonly #i: Local;
  readonly #j: Local;
  readonly #found: Local;
  readonly #element: Local;
  readonly #other: Local;

  constructor(
    readonly frame: Frame,
    readonly node: Node,
    readonly size: { dim: number; k: number; inner: number; bytes: number },
    readonly cursors: readonly [Cursor, Cursor, Cursor],
  ) {
    const { code } = frame;
    const cell = cellType(this.#dtype, 1);
    [this.#i, this.#j, this.#found] = [code.local("i32"), code.local("i32"), code.local("i32")];
    [this.#element, this.#other] = [code.local(cell), code.local(cell)];
  }

  get #dtype() {
    return this.node.inputs[0]!.dtype;
  }

  write(): void {
    const { code } = this.frame;
    const { dim, k } = this.size;
    const [i, j, found, element, other] = [this.#i, this.#j, this.#found, this.#element, this.#other];
    code.i32(0).set(found).i32(0).set(i);
    const isBetter = code.local("i32");
    code.while(
      () => code.get(i).i32(dim).op("i32.lt_u"),
      () => {
        this.#at(0, i, 0);
        loadScalar(code, this.#dtype, this.cursors[0].offset);
        code.set(element).get(found).set(j);
        code.while(
          () => {
            code.i32(0).set(isBetter).get(j);
            code.if(() => {
              this.#at(1, j, -1);
              loadScalar(code, this.#dtype, this.cursors[1].offset);
              code.set(other);
              this.#pushIsBetter();
              code.set(isBetter);
            });
            code.get(isBetter);
          },
          () => {
            code.get(j).i32(k).op("i32.lt_u");
            code.if(() => this.#moveDown());
            code.get(j).i32(1).op("i32.sub").set(j);
          },
        );
        code.get(j).i32(k).op("i32.lt_u");
        code.if(() => this.#store());
        code.get(found).get(found).i32(k).op("i32.lt_u").op("i32.add").set(found);
        code.get(i).i32(1).op("i32.add").set(i);
      },
    );
    for (const local of [i, j, found, element, other, isBetter]) code.free(local);
  }

  /** Pushes the address of an element of the operand (0), the values (1) or the indices (2), as far as it is not constant. */
  #at(which: 0 | 1 | 2, place: Local, shift: number): void {
    const { code } = this.frame;
    const step = this.size.inner * (which === 2 ? 8 : this.size.bytes);
    this.cursors[which].pointer();
    code.get(place);
    if (shift !== 0) code.i32(shift).op("i32.add");
    code.i32(step).op("i32.mul").op("i32.add");
  }

  /** Whether the element comes before the other. NaN is larger than any number. */
  #pushIsBetter(): void {
    const { code } = this.frame;
    const cell = cellType(this.#dtype, 1);
    const isLargest = this.node.attributes.largest !== 0;
    code.get(this.#element).get(this.#other);
    if (cell === "i32" || cell === "i64") {
      const sign = unsigned.has(this.#dtype) ? "u" : "s";
      code.op(`${cell}.${isLargest ? "gt" : "lt"}_${sign}` as Plain);
      return;
    }
    // not less or equal, but for a NaN that is there already; or not greater or equal, but for a NaN that comes
    code.op(`${cell}.${isLargest ? "le" : "ge"}` as Plain).op("i32.eqz");
    const number = isLargest ? this.#other : this.#element;
    code
      .get(number)
      .get(number)
      .op(`${cell}.eq` as Plain)
      .op("i32.and");
  }

  #moveDown(): void {
    const { code } = this.frame;
    this.#at(1, this.#j, 0);
    code.get(this.#other);
    storeScalar(code, this.#dtype, this.cursors[1].offset);
    this.#at(2, this.#j, 0);
    this.#at(2, this.#j, -1);
    code.access("i64.load", this.cursors[2].offset).access("i64.store", this.cursors[2].offset);
  }

  #store(): void {
    const { code } = this.frame;
    this.#at(1, this.#j, 0);
    code.get(this.#element);
    storeScalar(code, this.#dtype, this.cursors[1].offset);
    this.#at(2, this.#j, 0);
    code.get(this.#i).op("i64.extend_i32_u").access("i64.store", this.cursors[2].offset);
  }
}
