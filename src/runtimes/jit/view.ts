import { type DType, sizeOf, stridesOf } from "../../core/tensor.js";
import type { Buffer } from "./plan.js";
import type { Local } from "./wasm/code.js";

/** A tensor in linear memory: element (i, j, …) lies at address + dynamic + bytes (i strides₀ + j strides₁ + …). */
export interface View {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** in elements */
  readonly strides: readonly number[];
  readonly address: number;
  /** a local of the current function that holds a further offset in bytes */
  readonly dynamic: Local | null;
  /** what is freed when the last view of it is gone; `null` for what stays */
  readonly buffer: Buffer | null;
}

const sizes: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
};

/** Bytes of one element in memory. */
export function bytesOf(dtype: DType): number {
  return sizes[dtype];
}

/** A row-major view of a whole buffer. */
export function contiguous(
  dtype: DType,
  shape: readonly number[],
  address: number,
  buffer: Buffer | null,
  dynamic: Local | null = null,
): View {
  return { dtype, shape, strides: stridesOf(shape), address, dynamic, buffer };
}

/** Whether the elements lie one after the other in row-major order. */
export function isContiguous({ shape, strides }: Pick<View, "shape" | "strides">): boolean {
  const packed = stridesOf(shape);
  return sizeOf(shape) <= 1 || shape.every((dim, axis) => dim === 1 || strides[axis] === packed[axis]);
}

/** Strides of a view as it is read when broadcast to a shape: 0 along the axes where it repeats. */
export function broadcastStrides(
  { shape, strides }: Pick<View, "shape" | "strides">,
  to: readonly number[],
): number[] {
  const offset = to.length - shape.length;
  return to.map((dim, axis) =>
    axis < offset || (shape[axis - offset] === 1 && dim !== 1) ? 0 : strides[axis - offset]!,
  );
}

/**
 * The same elements in another shape, or `null` where the strides do not allow it without a copy.
 */
export function reshaped(view: View, shape: readonly number[]): View | null {
  if (isContiguous(view)) return { ...view, shape, strides: stridesOf(shape) };
  const oldAxes = view.shape.flatMap((dim, axis) => (dim === 1 ? [] : [axis]));
  const strides = new Array<number>(shape.length).fill(1);
  let from = 0;
  let to = 0;
  while (from < oldAxes.length) {
    let [oldSize, newSize] = [view.shape[oldAxes[from]!]!, 1];
    let [oldEnd, newEnd] = [from + 1, to];
    while (newSize < oldSize || newSize !== oldSize) {
      if (newSize < oldSize) {
        if (newEnd >= shape.length) return null;
        newSize *= shape[newEnd++]!;
      } else {
        if (oldEnd >= oldAxes.length) return null;
        oldSize *= view.shape[oldAxes[oldEnd++]!]!;
      }
    }
    for (let i = from; i + 1 < oldEnd; i++) {
      const [outer, inner] = [oldAxes[i]!, oldAxes[i + 1]!];
      if (view.strides[outer] !== view.strides[inner]! * view.shape[inner]!) return null;
    }
    let stride = view.strides[oldAxes[oldEnd - 1]!]!;
    for (let axis = newEnd - 1; axis >= to; axis--) {
      strides[axis] = stride;
      stride *= shape[axis]!;
    }
    from = oldEnd;
    to = newEnd;
  }
  return { ...view, shape, strides };
}
