import type { Width } from "./cell.js";
import type { Code, Local } from "./wasm/index.js";

/** A tensor that is walked through by a nest of loops. */
export interface Walk {
  /** bytes from one element to the next along each axis of the nest */
  readonly strides: readonly number[];
  readonly address: number;
  readonly dynamic: Local | null;
}

/** Where a walk stands: push `pointer`, then load or store at `offset`. */
export interface Cursor {
  readonly pointer: () => void;
  readonly offset: number;
}

export interface Nest {
  /** sizes of the axes, outermost first */
  readonly sizes: readonly number[];
  readonly walks: readonly Walk[];
  /** the axis along which `width` elements are taken at a time; the rest is done one by one */
  readonly vectorAxis: number | null;
  readonly width: Width;
  /** how many vectors one iteration of the innermost loop does */
  readonly unroll?: number;
  /** called around all iterations of the axes from `axis` on, with the number of elements taken at a time */
  readonly around?: {
    readonly axis: number;
    readonly enter: (width: Width) => void;
    readonly leave: (width: Width, cursors: readonly Cursor[]) => void;
  };
  /** how many iterations of one axis make a block, at the end of which something is done, but for the last one */
  readonly blocks?: { readonly axis: number; readonly length: number; readonly close: () => void };
  /** @param part  which of the unrolled vectors */
  readonly body: (width: Width, cursors: readonly Cursor[], part: number) => void;
}

/** Axes that are walked as one: neither of size 1, nor next to one that they continue in every walk. */
export function collapse(
  sizes: readonly number[],
  walks: readonly (readonly number[])[],
  barrier: number | null = null,
): { sizes: number[]; walks: number[][]; barrier: number | null } {
  const keptSizes: number[] = [];
  const kept: number[][] = walks.map(() => []);
  let keptBarrier: number | null = null;
  sizes.forEach((size, axis) => {
    if (axis === barrier) keptBarrier = keptSizes.length;
    if (size === 1) return;
    const last = keptSizes.length - 1;
    const joins =
      last >= 0 &&
      keptBarrier !== keptSizes.length &&
      walks.every((strides, w) => kept[w]![last] === strides[axis]! * size);
    if (joins) {
      keptSizes[last]! *= size;
      walks.forEach((strides, w) => {
        kept[w]![last] = strides[axis]!;
      });
    } else {
      keptSizes.push(size);
      walks.forEach((strides, w) => {
        kept[w]!.push(strides[axis]!);
      });
    }
  });
  if (barrier !== null && barrier >= sizes.length) keptBarrier = keptSizes.length;
  return { sizes: keptSizes, walks: kept, barrier: keptBarrier };
}

/** Writes what is done so many times. */
export function repeat(code: Code, count: number, inner: () => void): void {
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

/** Writes a nest of loops. Walks with the same strides share a pointer. */
export function emitNest(code: Code, nest: Nest): void {
  const { sizes, walks, vectorAxis, width, around, body, blocks, unroll = 1 } = nest;
  const classes: { strides: readonly number[]; dynamic: Local | null; start: number }[] = [];
  // an instruction adds its offset to an address, which must not be negative: who walks backwards starts at the end
  const isBackwards = walks.map(({ strides }) => strides.some((stride) => stride < 0));
  const classOf = walks.map(({ strides, dynamic, address }, w) => {
    const start = isBackwards[w] ? address : 0;
    const found = classes.findIndex(
      (c) =>
        c.dynamic === dynamic &&
        c.start === start &&
        c.strides.every((stride, axis) => stride === strides[axis]),
    );
    return found >= 0 ? found : classes.push({ strides, dynamic, start }) - 1;
  });
  const fixed = classes.map(({ strides, dynamic }) => dynamic === null && strides.every((s) => s === 0));
  const cursors = (pointers: readonly Local[], axis: number | null, steps: number): Cursor[] =>
    walks.map(({ address, strides }, w) => ({
      pointer: () => {
        if (fixed[classOf[w]!]) code.i32(0);
        else code.get(pointers[classOf[w]!]!);
        const moved = axis === null ? 0 : steps * strides[axis]!;
        if (isBackwards[w] && moved !== 0) code.i32(moved).op("i32.add");
      },
      offset: isBackwards[w] ? 0 : address + (axis === null ? 0 : steps * strides[axis]!),
    }));

  const level = (axis: number, pointers: readonly Local[], taken: Width): void => {
    if (around?.axis === axis) {
      around.enter(taken);
      inside(axis, pointers, taken);
      around.leave(taken, cursors(pointers, null, 0));
    } else inside(axis, pointers, taken);
  };

  const inside = (axis: number, pointers: readonly Local[], taken: Width): void => {
    if (axis === sizes.length) {
      body(taken, cursors(pointers, null, 0), 0);
      return;
    }
    const size = sizes[axis]!;
    const isVector = axis === vectorAxis && width > 1;
    const step = isVector ? width : 1;
    const innermost = axis === sizes.length - 1 && around?.axis !== sizes.length;
    const rounds = innermost && unroll > 1 && size >= step * unroll ? Math.floor(size / (step * unroll)) : 0;
    const single = Math.floor((size - rounds * step * unroll) / step);
    const rest = size - (rounds * unroll + single) * step;
    // this level moves pointers of its own; those of the outer levels stay
    const own = pointers.map((pointer, c) => {
      if (fixed[c]) return pointer;
      code.get(pointer);
      return code.keep("i32");
    });
    const advance = (elements: number) => {
      classes.forEach(({ strides }, c) => {
        if (fixed[c] || strides[axis] === 0) return;
        code
          .get(own[c]!)
          .i32(elements * strides[axis]!)
          .op("i32.add")
          .set(own[c]!);
      });
    };
    const times = (count: number, elements: number, inner: () => void) => {
      const once = () => {
        inner();
        advance(elements);
      };
      if (blocks?.axis !== axis || count <= blocks.length) {
        repeat(code, count, once);
        return;
      }
      repeat(code, Math.floor(count / blocks.length), () => {
        repeat(code, blocks.length, once);
        blocks.close();
      });
      repeat(code, count % blocks.length, once);
    };
    const inner = isVector ? width : taken;
    times(rounds, step * unroll, () => {
      for (let part = 0; part < unroll; part++) body(inner, cursors(own, axis, part * step), part);
    });
    times(single, step, () => level(axis + 1, own, inner));
    times(rest, 1, () => level(axis + 1, own, 1));
    own.forEach((pointer, c) => {
      if (!fixed[c]) code.free(pointer);
    });
  };

  const start = classes.map(({ dynamic, start: first }, c) => {
    if (fixed[c]) return 0;
    code.i32(first);
    if (dynamic !== null) code.get(dynamic).op("i32.add");
    return code.keep("i32");
  });
  if (sizes.every((size) => size > 0)) level(0, start, 1);
  start.forEach((pointer, c) => {
    if (!fixed[c]) code.free(pointer);
  });
}
