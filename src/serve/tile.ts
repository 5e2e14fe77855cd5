import { Random } from "../core/random.js";
import { isFloat, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import type { ModelType } from "./infer-request.js";
import type { Tensors } from "./messages.js";
import { mapped, padded, rowsOf } from "./rows.js";

/** Runs a graph once. */
export type Run = (feeds: Tensors) => Promise<Tensors>;

const tiles = [1, 2, 4, 8, 16];
/**
 * Milliseconds of processor time that finding out may take; what takes longer gains little by sharing runs. Not of the clock:
 * what is found, and with it the last bits of answers, is not to depend on what else the machine does.
 */
const patience = 3000;

/**
 * The fewest rows in multiples of which samples go through a run such that the answer for each is the same to the bit
 * whatever rows are beside it; `null` where there are none.
 *
 * Kernels compute a single row, or the last elements of a tensor, in another order or by another formula than the rest
 * (the product of one row, exponentials beside the width of a vector): the last bits of an answer then depend on where its
 * row is. In multiples of a tile they do not. It is tried with random rows: alone, among others, and among others in other
 * places.
 */
export async function tileOf(
  run: Run,
  types: readonly ModelType[],
  rowInputs: readonly string[],
  given: Tensors = {},
): Promise<number | null> {
  const count = 3 * tiles.at(-1)!;
  const feeds = { ...drawn(types, rowInputs, count), ...given };
  const started = process.cpuUsage();
  const spent = () => {
    const { user, system } = process.cpuUsage(started);
    return (user + system) / 1000;
  };
  try {
    const whole = await run(feeds);
    if (!Object.values(whole).every(({ shape }) => shape[0] === count)) return null;
    if (spent() > patience / 4) return null;
    const turned = await run(mapped(feeds, rowInputs, (all) => turn(all, 5)));
    for (const tile of tiles) {
      if (spent() > patience) return null;
      if (await isRight(run, feeds, rowInputs, whole, turned, tile)) return tile;
    }
  } catch {
    // whatever it does not like about random rows, each request by itself is as right as the model is
  }
  return null;
}

async function isRight(
  run: Run,
  feeds: Tensors,
  rowInputs: readonly string[],
  whole: Tensors,
  turned: Tensors,
  tile: number,
): Promise<boolean> {
  const count = feeds[rowInputs[0]!]!.shape[0]!;
  for (const row of [0, 1, 2, 3, 7, 20, count - 1]) {
    const alone = await run(mapped(feeds, rowInputs, (all) => padded(rowsOf(all, row, row + 1), tile)));
    const from = Math.min(row, count - tile);
    const among = await run(mapped(feeds, rowInputs, (all) => rowsOf(all, from, from + tile)));
    for (const name in whole) {
      const own = bitsOf(alone[name]!, 0);
      if (own !== bitsOf(among[name]!, row - from)) return false;
      if (own !== bitsOf(whole[name]!, row) || own !== bitsOf(turned[name]!, (row + 5) % count)) return false;
    }
  }
  return true;
}

/** The rows in another order: each moves on by so many places. */
function turn(all: Tensor, by: number): Tensor {
  const { dtype, shape, data } = all;
  const split = data.length - by * sizeOf(shape.slice(1));
  return tensor(dtype, shape, [...data.subarray(split), ...data.subarray(0, split)] as number[]);
}

function bitsOf(tensor: Tensor, row: number): string {
  const { data } = rowsOf(tensor, row, row + 1);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
}

/** Random numbers for the inputs of a model; integers are 0 or 1, which most indices may be. */
function drawn(types: readonly ModelType[], rowInputs: readonly string[], rows: number): Tensors {
  const random = Random.seeded(1);
  return Object.fromEntries(
    types.map(({ name, dtype, shape }) => {
      const own = shape.map((dim, axis) => {
        if (axis === 0 && rowInputs.includes(name)) return rows;
        return typeof dim === "number" ? dim : 2;
      });
      const one = () => (isFloat(dtype) ? random.normal() : Math.floor(2 * random.uniform()));
      return [name, tensor(dtype, own, Array.from({ length: sizeOf(own) }, one))];
    }),
  );
}
