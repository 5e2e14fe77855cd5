import type { Width } from "./cell.js";
import { repeat } from "./nest.js";
import { bytesOf } from "./view.js";
import type { Code, Local } from "./wasm/index.js";

// Panels: a few columns of a matrix, row after row, as the kernel of products reads them. Read from where they are, each row
// would be a cache line of its own, and lines of rows that are a power of two apart would push one another out.

/** Columns side by side in vectors. */
export interface Panel {
  readonly dtype: "float64" | "float32";
  readonly lanes: Width;
  readonly vectors: number;
  /** how many columns there are; what fills the last vector beyond them is never used */
  readonly columns: number;
}

/** Bytes from row to row of a panel. */
export function panelRow({ dtype, lanes, vectors }: Panel): number {
  return vectors * lanes * bytesOf(dtype);
}

/**
 * Pushes the elements of one row of some columns, which are `step` bytes apart.
 *
 * @param offset  of the first of them from the pointer
 */
function pushVector(code: Code, panel: Panel, vector: number, pointer: Local, step: number): void {
  const { lanes, dtype, columns } = panel;
  const first = vector * lanes;
  code.get(pointer);
  if (step === bytesOf(dtype)) {
    code.vectorAccess("v128.load", first * step);
    return;
  }
  code.vectorAccess(lanes === 2 ? "v128.load64_splat" : "v128.load32_splat", first * step);
  for (let lane = 1; lane < Math.min(lanes, columns - first); lane++) {
    const sofar = code.keep("v128");
    code.get(pointer).get(sofar);
    code.laneAccess(lanes === 2 ? "v128.load64_lane" : "v128.load32_lane", (first + lane) * step, lane);
    code.free(sofar);
  }
}

/** Copies columns of a matrix into a panel. @param from  points to their first row, @param to  to the panel's */
export function packColumns(
  code: Code,
  panel: Panel,
  rows: number,
  { row, column }: { readonly row: number; readonly column: number },
  from: Local,
  to: Local,
): void {
  const [source, target] = [from, to].map((local) => code.get(local).keep("i32")) as [Local, Local];
  repeat(code, rows, () => {
    for (let vector = 0; vector < panel.vectors; vector++) {
      code.get(target);
      pushVector(code, panel, vector, source, column);
      code.vectorAccess("v128.store", vector * 16);
    }
    code.get(source).i32(row).op("i32.add").set(source);
    code.get(target).i32(panelRow(panel)).op("i32.add").set(target);
  });
  code.free(source);
  code.free(target);
}
