import { type Application, arithmetic, comparisons, lanesOf, rounding, type Width } from "./cell.js";
import { emitScalar } from "./elementwise-scalar.js";
import { emitVector } from "./elementwise-vector.js";
import type { Unit } from "./unit.js";
import type { Code, Push } from "./wasm/index.js";

const names: ReadonlySet<string> = new Set([
  ...Object.keys(comparisons),
  ...Object.keys(arithmetic),
  ...Object.keys(rounding),
  ...["Max", "Min", "Relu", "Reciprocal", "Sign", "Mod", "Where", "Cast", "Pow"],
  ...["MultiplyAdd", "MultiplySubtract"],
  ...["And", "Or", "Xor", "Not", "IsNaN", "IsInf"],
  ...["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift"],
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
