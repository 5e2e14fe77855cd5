import type { FloatDType } from "./tensor.js";

/** ε of each dtype: the distance from 1 to the next number. */
export const epsilon: { readonly [dtype in FloatDType]: number } = {
  float32: 2 ** -23,
  float64: 2 ** -52,
};

/** The least positive number of each dtype that has all its digits. */
export const leastNormal: { readonly [dtype in FloatDType]: number } = {
  float32: 2 ** -126,
  float64: 2 ** -1022,
};

/** A number as a dtype has it. */
export function rounded(dtype: FloatDType, x: number): number {
  return dtype === "float32" ? Math.fround(x) : x;
}

/** The number of a dtype next to x. Those next to 0 are the least normal ones: a step to smaller ones underflows. */
export function neighbour(dtype: FloatDType, x: number, direction: 1 | -1): number {
  const value = rounded(dtype, x);
  if (value === 0) return direction * leastNormal[dtype];
  const towards = value > 0 ? direction : -direction;
  if (dtype === "float32") {
    const bits = new Int32Array(Float32Array.of(value).buffer);
    bits[0]! += towards;
    return new Float32Array(bits.buffer)[0]!;
  }
  const bits = new BigInt64Array(Float64Array.of(value).buffer);
  bits[0]! += BigInt(towards);
  return new Float64Array(bits.buffer)[0]!;
}

/** The distance from x to the next number of a dtype, away from 0. */
export function spacingAt(dtype: FloatDType, x: number): number {
  const size = Math.abs(rounded(dtype, x));
  return neighbour(dtype, size, 1) - size;
}
