import { ortHere } from "../../core/place.js";
import { SizeError, showBytes } from "../../core/size.js";

/** A stretch of linear memory, shared by the views that look at it. */
export interface Buffer {
  readonly address: number;
  readonly bytes: number;
  /** values that still need it */
  uses: number;
}

const alignment = 16;
/** Bytes that a WebAssembly memory has at most. */
export const largestMemory = 2 ** 32;

/**
 * Addresses for everything that lives in memory, given out once, at compile time. The order of requests is the order
 * of execution, so what has been freed may be given out again.
 */
export class MemoryPlan {
  #end: number;
  /** free stretches by address, none touching another */
  readonly #free: { address: number; bytes: number }[] = [];

  constructor(start = alignment) {
    this.#end = start;
  }

  /** bytes of memory that the module needs, with room for a vector read at the very end */
  get bytes(): number {
    return this.#end + alignment;
  }

  allocate(bytes: number): Buffer {
    const size = Math.max(alignment, Math.ceil(bytes / alignment) * alignment);
    let best = -1;
    this.#free.forEach((gap, i) => {
      if (gap.bytes >= size && (best < 0 || gap.bytes < this.#free[best]!.bytes)) best = i;
    });
    if (best < 0) return { address: this.#atEnd(size), bytes: size, uses: 1 };
    const gap = this.#free[best]!;
    const { address } = gap;
    if (gap.bytes === size) this.#free.splice(best, 1);
    else this.#free[best] = { address: gap.address + size, bytes: gap.bytes - size };
    return { address, bytes: size, uses: 1 };
  }

  /** The address of bytes at the end, with what is free there. */
  #atEnd(size: number): number {
    const last = this.#free.at(-1);
    if (last === undefined || last.address + last.bytes !== this.#end) return this.reserve(size);
    this.#grow(last.address + size);
    this.#free.pop();
    return last.address;
  }

  /**
   * The address of bytes that nothing else ever uses: what is written there before a run is there throughout.
   *
   * @throws {SizeError} if there is no room for them
   */
  reserve(bytes: number): number {
    const address = this.#end;
    this.#grow(address + Math.max(alignment, Math.ceil(bytes / alignment) * alignment));
    return address;
  }

  #grow(end: number): void {
    if (end + alignment > largestMemory) {
      throw new SizeError(
        `its tensors take ${showBytes(end)} at once, or more, but a WebAssembly memory has ${showBytes(largestMemory)}. ` +
          `Make the batch smaller, keep fewer states, or use the runtime ${ortHere()}.`,
      );
    }
    this.#end = end;
  }

  retain(buffer: Buffer): Buffer {
    buffer.uses++;
    return buffer;
  }

  release(buffer: Buffer): void {
    if (--buffer.uses > 0) return;
    const gap = { address: buffer.address, bytes: buffer.bytes };
    let at = this.#free.findIndex(({ address }) => address > gap.address);
    if (at < 0) at = this.#free.length;
    this.#free.splice(at, 0, gap);
    for (const i of [at, at - 1]) {
      const [one, next] = [this.#free[i], this.#free[i + 1]];
      if (one === undefined || next === undefined || one.address + one.bytes !== next.address) continue;
      this.#free.splice(i, 2, { address: one.address, bytes: one.bytes + next.bytes });
    }
  }
}
