import type { DType } from "../../core/tensor.js";
import type { Attributes } from "../../graph/graph.js";
import { dtypeOfNumber } from "../../graph/types.js";
import { callPairs, callQuads, hasVectorFunction } from "./math/library.js";
import type { Unit } from "./unit.js";
import type { Code, Plain, Push, ValType, Vector } from "./wasm/index.js";

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

const comparisons: Readonly<Record<string, string>> = {
  Equal: "eq",
  Less: "lt",
  LessOrEqual: "le",
  Greater: "gt",
  GreaterOrEqual: "ge",
};
const arithmetic: Readonly<Record<string, string>> = { Add: "add", Sub: "sub", Mul: "mul", Div: "div" };
const rounding: Readonly<Record<string, string>> = {
  Floor: "floor",
  Ceil: "ceil",
  Round: "nearest",
  Sqrt: "sqrt",
  Abs: "abs",
  Neg: "neg",
};

const names: ReadonlySet<string> = new Set([
  ...Object.keys(comparisons),
  ...Object.keys(arithmetic),
  ...Object.keys(rounding),
  ...["Max", "Min", "Relu", "Reciprocal", "Sign", "Mod", "Where", "Cast", "Pow"],
  ...["And", "Or", "Xor", "Not", "IsNaN", "IsInf"],
  ...["Exp", "Tanh", "Sigmoid", "Log", "Sin", "Cos", "Atan", "Erf", "Sinh", "Cosh"],
]);

/** Whether an operator works element by element, and is known here. */
export function isElementwise(type: string): boolean {
  return names.has(type);
}

/** How many elements at a time an application can work on. */
export function widthOf({ type, from, to }: Application): Width {
  const types = [...from, to].filter((dtype) => dtype !== "bool");
  const first = types[0];
  if (first === undefined) return 4;
  if (types.some((dtype) => dtype !== first) || type === "Mod") return 1;
  return lanesOf(first);
}

/** Pushes the result of an application to cells. */
export function emitCell(
  unit: Unit,
  code: Code,
  application: Application,
  width: Width,
  operands: readonly Push[],
): void {
  if (width > 1) emitVector(unit, code, application, width, operands);
  else emitScalar(unit, code, application, operands);
}

function emitVector(
  unit: Unit,
  code: Code,
  { type, attributes, from, to }: Application,
  width: Width,
  operands: readonly Push[],
): void {
  const shape = width === 2 ? "f64x2" : "f32x4";
  const [x, y, z] = operands as [Push, Push, Push];
  const op = (name: string) => code.vector(`${shape}.${name}` as Vector);
  const number = (value: number) => pushSplat(unit, code, width, value);
  const all = () => {
    for (const operand of operands) operand();
  };
  const isBool = from[0] === "bool";
  if (type in arithmetic) {
    all();
    op(arithmetic[type]!);
  } else if (type in comparisons) {
    all();
    if (isBool) code.vector("v128.xor").vector("v128.not");
    else op(comparisons[type]!);
  } else if (type in rounding) {
    all();
    op(rounding[type]!);
  } else if (hasVectorFunction(type)) {
    all();
    if (width === 2) callPairs(unit, code, type);
    else callQuads(unit, code, type);
  } else {
    switch (type) {
      case "Max":
      case "Min":
        all();
        op(type.toLowerCase());
        break;
      case "Relu":
        // x < 0 ? 0 : x, so that NaN stays
        x();
        number(0);
        op("pmax");
        break;
      case "Reciprocal":
        number(1);
        x();
        op("div");
        break;
      case "Sign":
        // 1 where x > 0, −1 where x < 0, else x (0, or NaN)
        number(1);
        number(-1);
        x();
        x();
        number(0);
        op("lt");
        code.vector("v128.bitselect");
        x();
        number(0);
        op("gt");
        code.vector("v128.bitselect");
        break;
      case "Where":
        y();
        z();
        x();
        code.vector("v128.bitselect");
        break;
      case "And":
      case "Or":
      case "Xor":
        all();
        code.vector(`v128.${type.toLowerCase()}` as Vector);
        break;
      case "Not":
        x();
        code.vector("v128.not");
        break;
      case "IsNaN":
        x();
        x();
        op("ne");
        break;
      case "IsInf":
        infinite(
          attributes,
          x,
          number,
          () => op("eq"),
          () => code.vector("v128.or"),
          () => op("abs"),
        );
        break;
      case "Cast":
        x();
        if (from[0] === to) break;
        if (isBool) {
          number(1);
          code.vector("v128.and");
        } else {
          number(0);
          op("ne");
        }
        break;
    }
  }
}

function infinite(
  attributes: Attributes,
  x: Push,
  number: (value: number) => void,
  equal: Push,
  or: Push,
  abs: Push,
): void {
  const positive = attributes.detect_positive !== 0;
  const negative = attributes.detect_negative !== 0;
  x();
  if (positive && negative) abs();
  number(positive ? Infinity : -Infinity);
  equal();
  if (positive || negative) return;
  // neither: never
  x();
  number(Number.NaN);
  equal();
  or();
}

/** A float in all lanes of a vector. */
export function pushSplat(unit: Unit, code: Code, width: Width, value: number): void {
  const cells = width === 2 ? new Float64Array([value, value]) : new Float32Array(4).fill(value);
  code.i32(0).vectorAccess("v128.load", unit.vectorConstant(new Uint8Array(cells.buffer)));
}

const unsigned: ReadonlySet<DType> = new Set(["uint8", "uint16", "uint32", "uint64", "bool"]);

function emitScalar(
  unit: Unit,
  code: Code,
  { type, attributes, from, to }: Application,
  operands: readonly Push[],
): void {
  const dtype = type === "Where" ? from[1]! : from[0]!;
  const cell = cellType(dtype, 1);
  const isFloat = cell === "f64" || cell === "f32";
  const [x, y, z] = operands as [Push, Push, Push];
  const op = (name: string) => code.op(`${cell}.${name}` as Plain);
  const signed = (name: string) => op(isFloat ? name : `${name}_${unsigned.has(dtype) ? "u" : "s"}`);
  const number = (value: number) => pushNumber(code, dtype, value);
  const all = () => {
    for (const operand of operands) operand();
  };
  /** y where the condition holds, else z: each evaluated */
  const choose = (condition: Push, yes: Push, no: Push) => {
    yes();
    no();
    condition();
    code.op("select");
  };
  if (type in arithmetic) {
    all();
    if (type === "Div") signed("div");
    else op(arithmetic[type]!);
    narrow(code, dtype);
  } else if (type in comparisons) {
    all();
    if (type === "Equal") op("eq");
    else signed(comparisons[type]!);
  } else if (isFloat && type in rounding) {
    all();
    op(rounding[type]!);
  } else if (hasVectorFunction(type)) {
    for (const operand of operands) {
      operand();
      if (cell === "f32") code.op("f64.promote_f32");
      code.vector("f64x2.splat");
    }
    callPairs(unit, code, type);
    code.lane("f64x2.extract_lane", 0);
    if (cell === "f32") code.op("f32.demote_f64");
  } else {
    switch (type) {
      case "Neg":
        number(0);
        x();
        op("sub");
        narrow(code, dtype);
        break;
      case "Abs":
        if (unsigned.has(dtype)) x();
        else {
          choose(
            () => {
              x();
              number(0);
              op("lt_s");
            },
            () => {
              number(0);
              x();
              op("sub");
            },
            x,
          );
          narrow(code, dtype);
        }
        break;
      case "Max":
      case "Min":
        if (isFloat) {
          all();
          op(type.toLowerCase());
        } else {
          choose(
            () => {
              all();
              signed(type === "Max" ? "gt" : "lt");
            },
            x,
            y,
          );
        }
        break;
      case "Relu":
        choose(
          () => {
            x();
            number(0);
            signed("lt");
          },
          () => number(0),
          x,
        );
        break;
      case "Reciprocal":
        number(1);
        x();
        op("div");
        break;
      case "Sign":
        choose(
          () => {
            x();
            number(0);
            signed("gt");
          },
          () => number(1),
          () =>
            choose(
              () => {
                x();
                number(0);
                signed("lt");
              },
              () => number(-1),
              x,
            ),
        );
        break;
      case "Mod":
        remainder(code, dtype, attributes.fmod === 1, x, y, choose);
        break;
      case "Where":
        choose(x, y, z);
        break;
      case "And":
      case "Or":
      case "Xor":
        all();
        code.op(`i32.${type.toLowerCase()}` as Plain);
        break;
      case "Not":
        x();
        code.op("i32.eqz");
        break;
      case "IsNaN":
        x();
        x();
        op("ne");
        break;
      case "IsInf":
        infinite(
          attributes,
          x,
          number,
          () => op("eq"),
          () => code.op("i32.or"),
          () => op("abs"),
        );
        break;
      case "Cast":
        x();
        castCell(
          code,
          dtype,
          attributes.to === undefined ? to : dtypeOfNumber(attributes.to as number, "Cast"),
        );
        break;
    }
  }
}

/** Integers: the sign of the divisor, or with `fmod` that of the dividend. */
function remainder(
  code: Code,
  dtype: DType,
  truncated: boolean,
  x: Push,
  y: Push,
  choose: (condition: Push, yes: Push, no: Push) => void,
): void {
  const cell = cellType(dtype, 1);
  if (cell === "f64" || cell === "f32") {
    floatRemainder(code, cell, x, y);
    return;
  }
  const op = (name: string) => code.op(`${cell}.${name}` as Plain);
  const r = code.local(cell);
  x();
  y();
  op(unsigned.has(dtype) ? "rem_u" : "rem_s");
  code.set(r);
  if (truncated || unsigned.has(dtype)) code.get(r);
  else {
    // r ≠ 0 and of another sign than y
    choose(
      () => {
        code.get(r);
        y();
        op("xor");
        pushNumber(code, dtype, 0);
        op("lt_s");
        code.get(r);
        pushNumber(code, dtype, 0);
        op("ne");
        code.op("i32.and");
      },
      () => {
        code.get(r);
        y();
        op("add");
      },
      () => code.get(r),
    );
  }
  code.free(r);
}

/**
 * The exact remainder of floats, with the sign of x: |y| doubled while it fits, then subtracted on the way back. Each
 * difference is exact, since neither operand is more than twice the other.
 */
function floatRemainder(code: Code, cell: "f64" | "f32", x: Push, y: Push): void {
  const op = (name: string) => code.op(`${cell}.${name}` as Plain);
  const number = (value: number) => (cell === "f64" ? code.f64(value) : code.f32(value));
  const [rest, step, size] = [code.local(cell), code.local(cell), code.local(cell)];
  x();
  op("abs");
  code.set(rest);
  y();
  op("abs");
  code.tee(size).set(step);
  // nothing to do for y = 0, infinities and NaN but to say so
  const isProper = () => {
    code.get(size);
    number(0);
    op("gt");
    code.get(rest);
    number(Infinity);
    op("lt");
    code.op("i32.and");
  };
  isProper();
  code.if(
    () => {
      code.while(
        () => {
          code.get(step).get(rest);
          number(0.5);
          op("mul");
          op("le");
        },
        () => {
          code.get(step).get(step);
          op("add");
          code.set(step);
        },
      );
      code.while(
        () => {
          code.get(step).get(size);
          op("ge");
          code.get(step);
          number(Infinity);
          op("lt");
          code.op("i32.and");
        },
        () => {
          code.get(rest).get(step);
          op("ge");
          code.if(() => {
            code.get(rest).get(step);
            op("sub");
            code.set(rest);
          });
          code.get(step);
          number(0.5);
          op("mul");
          code.set(step);
        },
      );
    },
    () => {
      number(Number.NaN);
      code.set(rest);
    },
  );
  code.get(rest);
  x();
  op("copysign");
  for (const local of [rest, step, size]) code.free(local);
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
function narrow(code: Code, dtype: DType): void {
  if (dtype === "int8") code.op("i32.extend8_s");
  if (dtype === "int16") code.op("i32.extend16_s");
  if (dtype === "uint8") code.i32(0xff).op("i32.and");
  if (dtype === "uint16") code.i32(0xffff).op("i32.and");
}

/** Converts the cell on the stack. Floats that do not fit an integer type saturate. */
function castCell(code: Code, from: DType, to: DType): void {
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
    // small types wrap around from 32 bits
    const wide = b === "i64" || to === "uint32" ? sign(to) : "s";
    code.saturate(`${b}.trunc_sat_${a}_${wide}` as "i32.trunc_sat_f64_s");
    narrow(code, to);
  } else if (isFloat(b)) {
    code.op(`${b}.convert_${a}_${sign(from)}` as Plain);
  } else {
    if (a === "i64" && b === "i32") code.op("i32.wrap_i64");
    if (a === "i32" && b === "i64") code.op(`i64.extend_i32_${sign(from)}` as Plain);
    narrow(code, to);
  }
}
