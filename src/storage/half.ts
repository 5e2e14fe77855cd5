/** bfloat16 is the upper half of a float32: every value, NaN payloads included, is kept exactly. */
export function widenBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}

/**
 * IEEE 754 binary16 (1 sign, 5 exponent, 10 mantissa bits) as float32 (1, 8, 23); exact for every value, NaN
 * payloads included. Done on the bits, because a NaN that passes through a JavaScript number may lose its payload.
 */
export function widenFloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = widenOne(bits[i]!);
  return new Float32Array(words.buffer);
}

function widenOne(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // A subnormal, mantissa · 2^-24, is a normal float32: its leading one becomes the implicit bit.
  const leading = 31 - Math.clz32(mantissa);
  return sign | ((leading + 103) << 23) | ((mantissa << (23 - leading)) & 0x7fffff);
}
