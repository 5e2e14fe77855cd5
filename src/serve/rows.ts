import { type DataOf, emptyData, sizeOf, type Tensor, type TensorData } from "../core/tensor.js";
import type { Tensors } from "./messages.js";

// Samples as rows of tensors: those of several requests go through one run, and are told apart afterwards.

/** The rows of several tensors below each other; all have the same element type and rows of the same shape. */
export function joined(parts: readonly Tensor[]): Tensor {
  if (parts.length === 1) return parts[0]!;
  const [first] = parts as [Tensor];
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const shape = [rows, ...first.shape.slice(1)];
  const data = emptyData(first.dtype, sizeOf(shape)) as TensorData;
  let offset = 0;
  for (const part of parts) {
    data.set(part.data as never, offset);
    offset += part.data.length;
  }
  return { dtype: first.dtype, shape, data } as Tensor;
}

/** Rows `from` up to `to` of a tensor, copied. */
export function rowsOf({ dtype, shape, data }: Tensor, from: number, to: number): Tensor {
  const size = sizeOf(shape.slice(1));
  const part = data.slice(from * size, to * size) as DataOf[typeof dtype];
  return { dtype, shape: [to - from, ...shape.slice(1)], data: part } as Tensor;
}

/** The same rows, and the last one again until there are so many. */
export function padded(tensor: Tensor, rows: number): Tensor {
  const { dtype, shape, data } = tensor;
  const own = shape[0]!;
  if (own >= rows) return tensor;
  const size = sizeOf(shape.slice(1));
  const all = emptyData(dtype, rows * size) as TensorData;
  all.set(data as never);
  for (let row = own; row < rows; row++)
    all.set(data.subarray((own - 1) * size, own * size) as never, row * size);
  return { dtype, shape: [rows, ...shape.slice(1)], data: all } as Tensor;
}

/**
 * How many rows a run takes for so many samples: a tile, or 2, 4, 8, … of them, since each number of rows may be compiled
 * by itself; beyond 64 tiles a multiple of 64.
 */
export function rowsFor(samples: number, tile: number): number {
  const tiles = Math.ceil(samples / tile);
  return tile * (tiles > 64 ? 64 * Math.ceil(tiles / 64) : 2 ** Math.ceil(Math.log2(Math.max(1, tiles))));
}

/** Some tensors with some of them replaced. */
export function mapped(tensors: Tensors, names: readonly string[], map: (tensor: Tensor) => Tensor): Tensors {
  const changed = names.map((name) => [name, map(tensors[name]!)] as const);
  return { ...tensors, ...Object.fromEntries(changed) };
}
