import type { Attributes } from "../../graph/graph.js";
import { dtypeOfNumber } from "../../graph/types.js";
import {
  type Application,
  arithmetic,
  castCell,
  cellType,
  comparisons,
  narrow,
  pushNumber,
  rounding,
  unsigned,
} from "./cell.js";
import { integerPower, quotient, remainder } from "./division.js";
import { callPairs, hasVectorFunction } from "./math/library.js";
import type { Unit } from "./unit.js";
import { bytesOf } from "./view.js";
import type { Code, Plain, Push } from "./wasm/index.js";

/** Pushes the result of an application to scalars. Bools are 0 or 1. */
export function emitScalar(
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
  if (type === "Div" && !isFloat) {
    quotient(code, dtype, x, y);
    narrow(code, dtype);
  } else if (type === "Pow" && !isFloat) {
    integerPower(unit, code, dtype, x, y);
    narrow(code, dtype);
  } else if (type in arithmetic) {
    all();
    op(arithmetic[type]!);
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
      // the elements that are left over where the others were vectors
      case "MultiplyAdd":
      case "MultiplySubtract":
        for (const operand of operands) {
          operand();
          code.vector(cell === "f64" ? "f64x2.splat" : "f32x4.splat");
        }
        code.vector(
          `${cell === "f64" ? "f64x2" : "f32x4"}.relaxed_${type === "MultiplyAdd" ? "madd" : "nmadd"}`,
        );
        code.lane(cell === "f64" ? "f64x2.extract_lane" : "f32x4.extract_lane", 0);
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
      case "BitwiseAnd":
      case "BitwiseOr":
      case "BitwiseXor":
        all();
        op(type.slice("Bitwise".length).toLowerCase());
        break;
      case "BitwiseNot":
        x();
        number(-1);
        op("xor");
        narrow(code, dtype);
        break;
      case "BitShift":
        // instructions take the count modulo the size of the cell
        choose(
          () => {
            y();
            number(8 * bytesOf(dtype));
            op("lt_u");
          },
          () => {
            all();
            op(attributes.direction === "LEFT" ? "shl" : "shr_u");
          },
          () => number(0),
        );
        narrow(code, dtype);
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

/** IsInf: of either sign, of one, or of none. */
export function infinite(
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
