import type { Random } from "../core/random.js";
import { isFloat, type Tensor } from "../core/tensor.js";
import type { Dataset } from "./dataset.js";

// Samples that differ as much as data allow, to see whether something depends on how they differ.

/**
 * So many samples: in the first half those of which an array has least, in the second those that have most of it, and in both others that
 * are spread evenly over the data.
 *
 * @param count  even, and no more than there are
 */
export function variedSamples(data: Dataset, count: number): number[] {
  const available = Object.values(data)[0]!.shape[0]!;
  const extremes = Object.values(data)
    // whole numbers first: nothing else makes them vary
    .sort((one, other) => Number(isFloat(one.dtype)) - Number(isFloat(other.dtype)))
    .flatMap(extremesOf);
  const chosen = new Set<number>();
  const half = (own: readonly number[]): number[] => {
    const found: number[] = [];
    const take = (sample: number) => {
      if (found.length === count / 2 || chosen.has(sample)) return;
      chosen.add(sample);
      found.push(sample);
    };
    own.forEach(take);
    for (let i = 0; i < count; i++) take(Math.floor((i * available) / count));
    for (let i = 0; found.length < count / 2; i++) take(i);
    return found;
  };
  return [...half(extremes.map(([least]) => least)), ...half(extremes.map(([, most]) => most))];
}

/**
 * The samples of an array that have least and most of what masks are made of: how many zeros there are, how many missing values, where
 * they are, and, of whole numbers, their sum. So samples that differ in these are chosen if there are any.
 */
function extremesOf(value: Tensor): (readonly [least: number, most: number])[] {
  const samples = value.shape[0]!;
  const numbers = countable(value);
  const size = numbers.length / samples;
  const isWhole = !isFloat(value.dtype);
  const [zeros, missing, sums, places] = Array.from({ length: 4 }, () => new Float64Array(samples));
  for (let sample = 0, at = 0; sample < samples; sample++) {
    let [zero, none, sum, place] = [0, 0, 0, 0];
    for (let i = 1; i <= size; i++) {
      const x = numbers[at++]!;
      if (x === 0) {
        zero++;
        place += i;
      } else if (Number.isNaN(x)) {
        none++;
        place += i * i;
      } else if (isWhole) {
        sum += x;
        place += i * x;
      }
    }
    zeros![sample] = zero;
    missing![sample] = none;
    sums![sample] = sum;
    places![sample] = place;
  }
  return [zeros!, missing!, sums!, places!].flatMap((counts) => {
    let [least, most] = [0, 0];
    for (let i = 1; i < samples; i++) {
      if (counts[i]! < counts[least]!) least = i;
      if (counts[i]! > counts[most]!) most = i;
    }
    return counts[least] === counts[most] ? [] : [[least, most] as const];
  });
}

/** The numbers of an array; of integers of 64 bits the low halves, which tell them apart and are read ten times as fast. */
function countable({ dtype, data }: Tensor): ArrayLike<number> {
  if (dtype !== "int64" && dtype !== "uint64") return data as Float64Array;
  const halves = new Int32Array(data.buffer, data.byteOffset, 2 * data.length);
  return Int32Array.from({ length: data.length }, (_, i) => halves[2 * i]!);
}

/**
 * The same with the floats of each sample times a factor of its own for each array, so that weights differ: from 0.2 to 1, which keeps
 * signs, and shares between 0 and 1. Arrays that are zeros and ones in the whole of the data are masks, and stay what they are.
 */
export function rescaled(data: Dataset, whole: Dataset, random: Random): Dataset {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]): [string, Tensor] => {
      const isMask = () => (whole[name]!.data as Float64Array).every((x) => x === 0 || x === 1);
      if (!isFloat(value.dtype) || isMask()) return [name, value];
      const numbers = value.data as Float64Array;
      const samples = value.shape[0]!;
      const size = numbers.length / samples;
      const factors = Array.from({ length: samples }, () => random.uniform(0.2, 1));
      return [name, { ...value, data: numbers.map((x, i) => x * factors[Math.floor(i / size)]!) } as Tensor];
    }),
  );
}
