import type { DType } from "../../core/tensor.js";
import type { Width } from "./cell.js";
import type { Local } from "./wasm/code.js";
import type { Access, Code } from "./wasm/index.js";

// Cells between memory and the stack. Bools are bytes in memory, i32 as scalars, masks as vectors.

const loads: Readonly<Record<DType, Access>> = {
  float32: "f32.load",
  float64: "f64.load",
  int8: "i32.load8_s",
  int16: "i32.load16_s",
  int32: "i32.load",
  int64: "i64.load",
  uint8: "i32.load8_u",
  uint16: "i32.load16_u",
  uint32: "i32.load",
  uint64: "i64.load",
  bool: "i32.load8_u",
};

const stores: Readonly<Record<DType, Access>> = {
  float32: "f32.store",
  float64: "f64.store",
  int8: "i32.store8",
  int16: "i32.store16",
  int32: "i32.store",
  int64: "i64.store",
  uint8: "i32.store8",
  uint16: "i32.store16",
  uint32: "i32.store",
  uint64: "i64.store",
  bool: "i32.store8",
};

/** Replaces the address on the stack by the element there. */
export function loadScalar(code: Code, dtype: DType, offset: number): void {
  code.access(loads[dtype], offset);
}

/** Stores the element on the stack at the address below it. */
export function storeScalar(code: Code, dtype: DType, offset: number): void {
  code.access(stores[dtype], offset);
}

/** Replaces the address on the stack by `count` consecutive elements from there, at most as many as fill a vector. */
export function loadVector(code: Code, dtype: DType, width: Width, offset: number, count: number): void {
  if (dtype === "bool") loadMask(code, width, offset, count);
  else if (count === width) code.vectorAccess("v128.load", offset);
  else if (width === 2) code.vectorAccess("v128.load64_zero", offset);
  else if (count === 1) code.vectorAccess("v128.load32_zero", offset);
  else if (count === 2) code.vectorAccess("v128.load64_zero", offset);
  else {
    const address = code.keep("i32");
    code.get(address).get(address).vectorAccess("v128.load64_zero", offset);
    code.laneAccess("v128.load32_lane", offset + 8, 2);
    code.free(address);
  }
}

function loadMask(code: Code, width: Width, offset: number, count: number): void {
  const address = code.keep("i32");
  for (let i = 0; i < width; i++) {
    code
      .i32(0)
      .get(address)
      .access("i32.load8_u", offset + Math.min(i, count - 1))
      .op("i32.sub");
    if (i === 0) code.vector("i32x4.splat");
    else code.lane("i32x4.replace_lane", i);
  }
  code.free(address);
  if (width === 2) {
    const mask = code.keep("v128");
    code.get(mask).get(mask).shuffle([0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7]);
    code.free(mask);
  }
}

/** Stores the first `count` lanes of the vector on the stack at the address below it. */
export function storeVector(code: Code, dtype: DType, width: Width, offset: number, count: number): void {
  if (dtype !== "bool" && count === width) {
    code.vectorAccess("v128.store", offset);
    return;
  }
  const value = code.keep("v128");
  const address = code.keep("i32");
  const part = (name: "v128.store32_lane" | "v128.store64_lane", at: number, lane: number) =>
    code
      .get(address)
      .get(value)
      .laneAccess(name, offset + at, lane);
  if (dtype === "bool") {
    for (let i = 0; i < count; i++) {
      code.get(address).get(value);
      code
        .lane("i32x4.extract_lane", width === 2 ? 2 * i : i)
        .i32(1)
        .op("i32.and");
      code.access("i32.store8", offset + i);
    }
  } else if (width === 2) part("v128.store64_lane", 0, 0);
  else {
    if (count >= 2) part("v128.store64_lane", 0, 0);
    if (count !== 2) part("v128.store32_lane", count === 3 ? 8 : 0, count === 3 ? 2 : 0);
  }
  code.free(value);
  code.free(address);
}

/** Pushes the part of an address that is not known at compile time. */
export function pushBase(code: Code, dynamic: Local | null): void {
  if (dynamic === null) code.i32(0);
  else code.get(dynamic);
}
