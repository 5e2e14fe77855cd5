import { type Application, arithmetic, comparisons, pushSplat, rounding, type Width } from "./cell.js";
import { infinite } from "./elementwise-scalar.js";
import { callPairs, callQuads, hasVectorFunction } from "./math/library.js";
import type { Unit } from "./unit.js";
import type { Code, Push, Vector } from "./wasm/index.js";

/** Pushes the result of an application to vectors. Bools are masks. */
export function emitVector(
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
      case "MultiplyAdd":
        all();
        op("relaxed_madd");
        break;
      case "MultiplySubtract":
        all();
        op("relaxed_nmadd");
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
