import type { Width } from "./cell.js";
import { loadScalar, loadVector, storeScalar, storeVector } from "./cells.js";
import { type Cursor, collapse, emitNest } from "./nest.js";
import { bytesOf, type View } from "./view.js";
import type { Code, Push } from "./wasm/index.js";

// Elements between memory and the stack, wherever a nest of loops stands.

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

/** Copies a view of any strides into another. */
export function emitCopy(code: Code, from: View, to: View): void {
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
