import { emptyData, sizeOf, type Tensor, type TensorData, tensor } from "../core/tensor.js";
import type { Tensors } from "./messages.js";
import { joined, padded, rowsFor, rowsOf } from "./rows.js";
import type { Run } from "./tile.js";

/**
 * Solves for states, a row each. Rows that may share a run (steps of one size) do, unless one of them breaks down, which
 * all others would see; whatever else is solved by itself: where steps are chosen by their error, all rows of a run would
 * share them. So no answer depends on what else is asked.
 *
 * @param tile  rows of a run in multiples of; `null` where each goes by itself
 * @returns everything with rows first: ys [rows, saves, …], y1, accepted, rejected, reached
 */
export async function solveRows(run: Run, feeds: Tensors, tile: number | null): Promise<Tensors> {
  const y0 = feeds.y0!;
  const rows = y0.shape[0]!;
  if (tile !== null) {
    const results = await run({ ...feeds, y0: padded(y0, rowsFor(rows, tile)) });
    if (results.reached!.data[0] === 1 || rows === 1) return rowsFirst(results, rows);
  }
  const each: Tensors[] = [];
  for (let row = 0; row < rows; row++) {
    const own = padded(rowsOf(y0, row, row + 1), tile ?? 1);
    each.push(rowsFirst(await run({ ...feeds, y0: own }), 1));
  }
  const names = Object.keys(each[0]!);
  return Object.fromEntries(names.map((name) => [name, joined(each.map((one) => one[name]!))]));
}

/** The first rows of what a solve has found; numbers that are the same for all of them once for each. */
function rowsFirst({ ys, y1, accepted, rejected, reached }: Tensors, rows: number): Tensors {
  const count = (value: Tensor | undefined) =>
    tensor("int64", [rows], new Array(rows).fill(value?.data[0] ?? 0n));
  return {
    ys: swapped(ys!, rows),
    y1: rowsOf(y1!, 0, rows),
    accepted: count(accepted),
    rejected: count(rejected),
    reached: tensor("bool", [rows], new Array(rows).fill(reached!.data[0])),
  };
}

/** [saves, rows, …] as [rows, saves, …]. */
function swapped({ dtype, shape, data }: Tensor, rows: number): Tensor {
  const [saves = 0, all = 0] = shape;
  const size = sizeOf(shape.slice(2));
  const out = emptyData(dtype, rows * saves * size) as TensorData;
  for (let row = 0; row < rows; row++) {
    for (let save = 0; save < saves; save++) {
      const from = (save * all + row) * size;
      out.set(data.subarray(from, from + size) as never, (row * saves + save) * size);
    }
  }
  return { dtype, shape: [rows, saves, ...shape.slice(2)], data: out } as Tensor;
}
