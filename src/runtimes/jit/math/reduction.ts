import type { Unit } from "../unit.js";
import type { Code, Local } from "../wasm/index.js";

/** The binary digits of 2/π behind the point, in words of 32, behind two words of zeros. */
const twoOverPi = [
  0, 0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561,
  0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484, 0xe99c7026,
  0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f, 0xef2f118b, 0x5a0a6d1f,
  0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b, 0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1,
  0x1f8d5d08, 0x56033046, 0xfc7b6bab,
];
const limbs = 6;
const mask = 0xffffffffn;

/**
 * Writes the function (x) → (high, low, n) with |x| · 2/π ≡ n + high + low modulo 4, |high + low| ≤ ½, for finite x
 * beyond 2^20.
 *
 * x = m 2^e with an integer m of 53 bits. Digits of 2/π that contribute multiples of 4 are left out; of the rest, 192
 * are multiplied by m in limbs of 32 bits. The product, as a fraction of a full turn, begins with n.
 *
 * @see Payne & Hanek 1983, "Radian reduction for trigonometric functions"
 */
export function reductionFunction(unit: Unit): number {
  return unit.function("reduce", ["f64"], ["f64", "f64", "i64"], (code) => {
    const table = unit.table({
      dtype: "uint32",
      shape: [twoOverPi.length],
      data: Uint32Array.from(twoOverPi),
    });
    const long = () => code.local("i64");
    const [bits, at, shift] = [long(), code.local("i32"), long()];
    code.get(0).op("f64.abs").op("i64.reinterpret_f64").set(bits);
    // the first digit that counts: e − 2, behind the 64 zeros
    code
      .get(bits)
      .i64(52)
      .op("i64.shr_u")
      .i64(1075 + 2 - 64)
      .op("i64.sub")
      .set(shift);
    code.get(shift).i64(5).op("i64.shr_u").op("i32.wrap_i64").i32(2).op("i32.shl").set(at);
    code.get(shift).i64(31).op("i64.and").set(shift);
    const low = code.get(bits).i64(mask).op("i64.and").keep("i64");
    code
      .get(bits)
      .i64(0xfffffn << 32n)
      .op("i64.and")
      .i64(1n << 52n)
      .op("i64.or")
      .i64(32)
      .op("i64.shr_u");
    const high = code.keep("i64");

    const word = (i: number) =>
      code
        .get(at)
        .access("i32.load", table.address + 4 * i)
        .op("i64.extend_i32_u");
    const digits = Array.from({ length: limbs }, (_, i) => {
      word(i).i64(32).op("i64.shl");
      word(i + 1)
        .op("i64.or")
        .get(shift)
        .op("i64.shl")
        .i64(32)
        .op("i64.shr_u");
      return code.keep("i64");
    });
    const product = multiply(code, digits, low, high);

    const joined = (i: number) => {
      code
        .get(product[i]!)
        .i64(32)
        .op("i64.shl")
        .get(product[i + 1]!)
        .op("i64.or");
      return code.keep("i64");
    };
    const [first, second, third] = [joined(0), joined(2), joined(4)] as const;
    // what is left of a quarter turn, signed, in 128 bits behind the point
    const shifted = (a: Local, b: Local) =>
      code.get(a).i64(2).op("i64.shl").get(b).i64(62).op("i64.shr_u").op("i64.or").keep("i64");
    const [whole, rest] = [shifted(first, second), shifted(second, third)];
    const leading = code.get(whole).op("f64.convert_i64_s").keep("f64");
    code.get(whole).get(leading).saturate("i64.trunc_sat_f64_s").op("i64.sub").op("f64.convert_i64_s");
    code
      .get(rest)
      .op("f64.convert_i64_u")
      .f64(2 ** -64)
      .op("f64.mul")
      .op("f64.add");
    const trailing = code.keep("f64");
    const sum = code.get(leading).get(trailing).op("f64.add").keep("f64");
    code
      .get(sum)
      .f64(2 ** -64)
      .op("f64.mul");
    code
      .get(trailing)
      .get(sum)
      .get(leading)
      .op("f64.sub")
      .op("f64.sub")
      .f64(2 ** -64)
      .op("f64.mul");
    code
      .get(first)
      .i64(1n << 61n)
      .op("i64.add")
      .i64(62)
      .op("i64.shr_u");
  });
}

/** The limbs, most significant first, times a number of two limbs, modulo 2^192. */
function multiply(code: Code, digits: readonly Local[], low: Local, high: Local): Local[] {
  const result: Local[] = new Array(limbs);
  const carry = code.local("i64");
  const settle = (i: number) => {
    const value = code.keep("i64");
    code.get(value).i64(32).op("i64.shr_u").set(carry);
    code.get(value).i64(mask).op("i64.and").set(value);
    result[i] = value;
  };
  code.i64(0).set(carry);
  for (let i = limbs - 1; i >= 0; i--) {
    code.get(digits[i]!).get(low).op("i64.mul").get(carry).op("i64.add");
    settle(i);
  }
  code.i64(0).set(carry);
  for (let i = limbs - 2; i >= 0; i--) {
    code
      .get(digits[i + 1]!)
      .get(high)
      .op("i64.mul")
      .get(result[i]!)
      .op("i64.add")
      .get(carry)
      .op("i64.add");
    settle(i);
  }
  return result;
}
