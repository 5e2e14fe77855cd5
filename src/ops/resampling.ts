import { tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { mul } from "./arithmetic.js";
import { reduceSum } from "./broadcast.js";
import { gather } from "./slicing.js";

// Resampling along one axis: y[i] = Σⱼ W[i, j] x[j], where row i of W is a kernel around a coordinate of the input.

/** The few elements of a row of W that are not 0. */
export interface Row {
  readonly places: readonly number[];
  readonly weights: readonly number[];
}

/** Where each element of the result lies among those of the input, and how those around it are weighed. */
export interface Sampling {
  readonly mode: "nearest" | "linear" | "cubic";
  /** which element is nearest to a coordinate */
  readonly nearest: (coordinate: number) => number;
  /** the free parameter of the cubic kernel */
  readonly cubic: number;
  /** whether the kernel is as wide as what the elements of a smaller result stand for */
  readonly antialias: boolean;
  /** whether what lies outside has no weight; else it has the value of the last element */
  readonly excludesOutside: boolean;
}

/** The triangle of width 2. */
const triangle = (t: number): number => Math.max(0, 1 - Math.abs(t));

/** @see Keys 1981, "Cubic convolution interpolation for digital image processing" */
function cubicKernel(t: number, a: number): number {
  const x = Math.abs(t);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((x - 5) * x + 8) * x * a - 4 * a;
  return 0;
}

/**
 * The rows of W.
 *
 * @param length  of the input
 * @param coordinates  where the elements of the result lie in it
 * @param scale  length of the result over that of the input
 */
export function rowsOf(
  length: number,
  coordinates: readonly number[],
  scale: number,
  sampling: Sampling,
): Row[] {
  const clamp = (place: number) => Math.min(Math.max(place, 0), length - 1);
  if (sampling.mode === "nearest") {
    return coordinates.map((x) => ({ places: [clamp(sampling.nearest(x))], weights: [1] }));
  }
  const reach = sampling.mode === "linear" ? 1 : 2;
  const kernel = sampling.mode === "linear" ? triangle : (t: number) => cubicKernel(t, sampling.cubic);
  const narrow = sampling.antialias ? Math.min(1, scale) : 1;
  const half = Math.ceil(reach / narrow);
  return coordinates.map((x) => {
    const weights = new Map<number, number>();
    let total = 0;
    for (let place = Math.floor(x) - half; place <= Math.floor(x) + half + 1; place++) {
      const weight = kernel((place - x) * narrow);
      if (weight === 0 || (sampling.excludesOutside && clamp(place) !== place)) continue;
      total += weight;
      weights.set(clamp(place), (weights.get(clamp(place)) ?? 0) + weight);
    }
    return { places: [...weights.keys()], weights: [...weights.values()].map((weight) => weight / total) };
  });
}

/** The rows of Wᵀ. @param length  of the input */
export function transposedRows(rows: readonly Row[], length: number): Row[] {
  const columns = Array.from({ length }, () => ({ places: [] as number[], weights: [] as number[] }));
  rows.forEach(({ places, weights }, i) => {
    places.forEach((place, j) => {
      columns[place]!.places.push(i);
      columns[place]!.weights.push(weights[j]!);
    });
  });
  return columns;
}

/** W x along an axis: what each row reads is gathered side by side, weighed and added up. */
export function resampled(b: Builder, x: Value, axis: number, rows: readonly Row[]): Value {
  const taps = Math.max(1, ...rows.map(({ places }) => places.length));
  const places = rows.flatMap((row) => Array.from({ length: taps }, (_, tap) => row.places[tap] ?? 0));
  const weights = rows.flatMap((row) => Array.from({ length: taps }, (_, tap) => row.weights[tap] ?? 0));
  const isGather = taps === 1 && weights.every((weight) => weight === 1);
  if (isGather) return gather(b, x, b.ints(places), axis);
  const seen = gather(b, x, b.constant(tensor("int64", [rows.length, taps], places)), axis);
  const shape = [rows.length, taps, ...x.shape.slice(axis + 1).map(() => 1)];
  const weighed = mul(b, seen, b.constant(tensor(x.dtype as "float64", shape, weights)));
  return reduceSum(b, weighed, [axis + 1]);
}
