import type { DType } from "../../core/tensor.js";
import { cellType, pushNumber, pushSplat, type Width } from "./cell.js";
import { emitCell } from "./elementwise.js";
import type { Frame } from "./frame.js";
import type { Local, Push } from "./wasm/index.js";
import { WideTotal } from "./wide-total.js";

/** What combines two elements, and what to start from. */
export interface Combiner {
  readonly type: string;
  readonly start: (dtype: DType) => number | bigint;
}

/** Combines two cells, and leaves the result on the stack. */
export function combine(frame: Frame, type: string, dtype: DType, width: Width, x: Push, y: Push): void {
  emitCell(frame.unit, frame.code, { type, attributes: {}, from: [dtype, dtype], to: dtype }, width, [x, y]);
}

/** How many terms are added to one another in float32 before their sum goes to a float64 total. */
const longestRun = 128;

/**
 * After how many iterations of which axis, from `split` on, a long sum is closed; `null` where it is not long. The last axis
 * is walked in steps of several elements.
 */
export function blockOf(
  sizes: readonly number[],
  split: number,
  step: number,
): { readonly axis: number; readonly length: number } | null {
  let inside = 1;
  for (let axis = sizes.length - 1; axis >= split; axis--) {
    const count = Math.ceil(sizes[axis]! / (axis === sizes.length - 1 ? step : 1));
    if (inside * count > longestRun) return { axis, length: Math.max(1, Math.floor(longestRun / inside)) };
    inside *= count;
  }
  return null;
}

/**
 * The locals in which a reduction combines elements: vectors side by side and one for what does not fill a vector where it
 * goes along an axis in vectors, else one cell, which may hold several results.
 */
export class Accumulators {
  #cells: Local[] = [];
  #single: Local | null = null;
  #totals: { readonly cells: WideTotal; readonly single: WideTotal } | null = null;

  constructor(
    readonly frame: Frame,
    readonly combiner: Combiner,
    readonly dtype: DType,
    /** how many vectors of which width are combined to one result, or none */
    readonly along: { readonly width: Width; readonly count: number } | null,
    /** whether sums are so long that they are closed from time to time */
    readonly isLong: boolean,
  ) {}

  begin(taken: Width): void {
    const { along, isLong } = this;
    this.#cells = Array.from({ length: along?.count ?? 1 }, () => this.#start(along?.width ?? taken));
    this.#single = along === null ? null : this.#start(1);
    if (!isLong) return;
    const cells = WideTotal.local(this.frame.code, (along?.width ?? taken) === 1 ? 1 : 4);
    const single = along === null ? cells : WideTotal.local(this.frame.code, 1);
    this.#totals = { cells, single };
    cells.clear();
    if (single !== cells) single.clear();
  }

  #start(width: Width): Local {
    const { frame, dtype } = this;
    const value = this.combiner.start(dtype);
    if (width > 1) pushSplat(frame.unit, frame.code, width, Number(value));
    else pushNumber(frame.code, dtype, value);
    return frame.code.keep(cellType(dtype, width));
  }

  /** Takes in a cell. @param part  which of the vectors side by side it goes to */
  take(taken: Width, part: number, value: Push): void {
    const cell = taken === 1 && this.#single !== null ? this.#single : this.#cells[part]!;
    this.#combine(taken, cell, value);
  }

  #combine(width: Width, cell: Local, value: Push): void {
    const { frame, combiner, dtype } = this;
    combine(frame, combiner.type, dtype, width, () => frame.code.get(cell), value);
    frame.code.set(cell);
  }

  /** Adds what has been summed up so far to the totals. */
  close(): void {
    const { code } = this.frame;
    const [first, ...others] = this.#cells as [Local, ...Local[]];
    this.#joinCells();
    this.#totals!.cells.add(first);
    // these begin anew, too
    for (const cell of others) code.get(first).set(cell);
    if (this.#single !== null) this.#totals!.single.add(this.#single);
  }

  /** The vectors side by side, pair by pair, into the first. */
  #joinCells(): void {
    const cells = this.#cells;
    for (let gap = 1; gap < cells.length; gap *= 2) {
      for (let i = 0; i + gap < cells.length; i += 2 * gap) {
        this.#combine(this.along!.width, cells[i]!, () => this.frame.code.get(cells[i + gap]!));
      }
    }
  }

  /** Pushes the result. */
  push(): void {
    const { frame, dtype, along } = this;
    const { code } = frame;
    if (this.#totals !== null) {
      const { cells, single } = this.#totals;
      this.close();
      if (single !== cells) cells.addLanesTo(single);
      single.push();
      return;
    }
    const first = this.#cells[0]!;
    const single = this.#single;
    if (along === null || single === null) {
      code.get(first);
      return;
    }
    this.#joinCells();
    for (let lane = 0; lane < along.width; lane++) {
      this.#combine(1, single, () =>
        frame.registers.pushElement(dtype, { local: first, lane, width: along.width }),
      );
    }
    code.get(single);
  }

  free(): void {
    const { code } = this.frame;
    for (const local of [...this.#cells, ...(this.#single === null ? [] : [this.#single])]) code.free(local);
    if (this.#totals === null) return;
    this.#totals.cells.free();
    if (this.#totals.single !== this.#totals.cells) this.#totals.single.free();
    this.#totals = null;
  }
}
