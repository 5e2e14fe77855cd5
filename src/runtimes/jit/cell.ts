import { type DType, integerRange } from "../../core/tensor.js";
import type { Attributes } from "../../graph/graph.js";
import type { Unit } from "./unit.js";
import { bytesOf } from "./view.js";
import type { Code, Plain, ValType } from "./wasm/index.js";

// Cells: what one instruction works on. A scalar, or a vector of two float64 or four float32.

/** How many elements an instruction works on: 1, or as many as a vector holds. Bools are masks of that width. */
export type Width = 1 | 2 | 4;

/** The lanes of a vector of an element type; 1 where there are no vectors of it. */
export function lanesOf(dtype: DType): Width {
  return dtype === "float64" ? 2 : dtype === "float32" ? 4 : 1;
}

/** The type of the local that holds one cell. */
export function cellType(dtype: DType, width: Width): ValType {
  if (width > 1) return "v128";
  if (dtype === "float64") return "f64";
  if (dtype === "float32") return "f32";
  return dtype === "int64" || dtype === "uint64" ? "i64" : "i32";
}

/** One application of an elementwise operator. */
export interface Application {
  readonly type: string;
  readonly attributes: Attributes;
  /** element types of the operands */
  readonly from: readonly DType[];
  readonly to: DType;
}

// Instructions that are called the same in every format.

export const comparisons: Readonly<Record<string, string>> = {
  Equal: "eq",
  Less: "lt",
  LessOrEqual: "le",
  Greater: "gt",
  GreaterOrEqual: "ge",
};
export const arithmetic: Readonly<Record<string, string>> = {
  Add: "add",
  Sub: "sub",
  Mul: "mul",
  Div: "div",
};
export const rounding: Readonly<Record<string, string>> = {
  Floor: "floor",
  Ceil: "ceil",
  Round: "nearest",
  Sqrt: "sqrt",
  Abs: "abs",
  Neg: "neg",
};

export const unsigned: ReadonlySet<DType> = new Set(["uint8", "uint16", "uint32", "uint64", "bool"]);

/** A float in all lanes of a vector. */
export function pushSplat(unit: Unit, code: Code, width: Width, value: number): void {
  const cells = width === 2 ? new Float64Array([value, value]) : new Float32Array(4).fill(value);
  code.i32(0).vectorAccess("v128.load", unit.vectorConstant(new Uint8Array(cells.buffer)));
}

/** A number as a cell of an element type. */
export function pushNumber(code: Code, dtype: DType, value: number | bigint): void {
  switch (cellType(dtype, 1)) {
    case "f64":
      code.f64(Number(value));
      break;
    case "f32":
      code.f32(Number(value));
      break;
    case "i64":
      code.i64(BigInt(value));
      break;
    default:
      code.i32(Number(value));
  }
}

/** Wraps the i32 on the stack around to the range of a smaller integer type. */
export function narrow(code: Code, dtype: DType): void {
  if (dtype === "int8") code.op("i32.extend8_s");
  if (dtype === "int16") code.op("i32.extend16_s");
  if (dtype === "uint8") code.i32(0xff).op("i32.and");
  if (dtype === "uint16") code.i32(0xffff).op("i32.and");
}

/** Converts the cell on the stack. Floats that do not fit an integer type saturate; NaN becomes 0. */
export function castCell(code: Code, from: DType, to: DType): void {
  if (from === to) return;
  const [a, b] = [cellType(from, 1), cellType(to, 1)];
  const isFloat = (type: ValType) => type === "f32" || type === "f64";
  const sign = (dtype: DType) => (unsigned.has(dtype) ? "u" : "s");
  if (to === "bool") {
    pushNumber(code, from, 0);
    code.op(`${a}.ne` as Plain);
  } else if (isFloat(a) && isFloat(b)) {
    if (a !== b) code.op(a === "f32" ? "f64.promote_f32" : "f32.demote_f64");
  } else if (isFloat(a)) {
    if (bytesOf(to) < 4) {
      const [low, high] = integerRange(to);
      pushNumber(code, from, low);
      code.op(`${a}.max` as Plain);
      pushNumber(code, from, high);
      code.op(`${a}.min` as Plain);
    }
    code.saturate(`${b}.trunc_sat_${a}_${sign(to)}` as "i32.trunc_sat_f64_s");
  } else if (isFloat(b)) {
    code.op(`${b}.convert_${a}_${sign(from)}` as Plain);
  } else {
    if (a === "i64" && b === "i32") code.op("i32.wrap_i64");
    if (a === "i32" && b === "i64") code.op(`i64.extend_i32_${sign(from)}` as Plain);
    narrow(code, to);
  }
}
