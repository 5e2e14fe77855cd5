// What the WebAssembly engine can do, found by validating the smallest modules that use it.

/** A module of one function () → v128 with the given instructions. */
function moduleOf(instructions: readonly number[]): Uint8Array<ArrayBuffer> {
  const body = [0, ...instructions, 11];
  return Uint8Array.from([
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
    ...[10, body.length + 2, 1, body.length, ...body],
  ]);
}

/** i32.const 0, i8x16.splat */
const splat = [65, 0, 253, 15];

/** Whether there are vectors of 128 bits. */
export function hasVectors(): boolean {
  return typeof WebAssembly !== "undefined" && WebAssembly.validate(moduleOf(splat));
}

/**
 * Whether there is `relaxed_madd`, x y + z, which rounds once on processors that can: V8 since 11.4 (Node 22, Chrome 114),
 * or with the option --experimental-wasm-relaxed-simd before.
 */
export function hasFusedMultiplyAdd(): boolean {
  return hasVectors() && WebAssembly.validate(moduleOf([...splat, ...splat, ...splat, 253, 0x85, 2]));
}
