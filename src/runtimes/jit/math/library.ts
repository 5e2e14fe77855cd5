import type { Unit } from "../unit.js";
import type { Code, Push, ValType } from "../wasm/index.js";
import { erf } from "./error-function.js";
import { cosh, exp, sigmoid, sinh } from "./exponential.js";
import { tanh } from "./hyperbolic-tangent.js";
import { log } from "./logarithm.js";
import { pow } from "./power.js";
import { atan, cos, sin } from "./trigonometric.js";
import { type Format, pairs, quads, Vectors } from "./vectors.js";

const functions: Readonly<Record<string, (p: Vectors, x: Push, y: Push) => Push>> = {
  Exp: exp,
  Tanh: tanh,
  Sigmoid: sigmoid,
  Log: log,
  Sin: sin,
  Cos: cos,
  Atan: atan,
  Erf: erf,
  Sinh: sinh,
  Cosh: cosh,
  Pow: pow,
};

/** How many operands a function takes. */
function operandsOf(name: string): 1 | 2 {
  return name === "Pow" ? 2 : 1;
}

export function hasVectorFunction(name: string): boolean {
  return name in functions;
}

function vectors(count: number): ValType[] {
  return new Array(count).fill("v128");
}

/** Functions that are written for float32 as for float64; the others go through float64. */
const single: ReadonlySet<string> = new Set(["Exp", "Tanh", "Sigmoid", "Log", "Sinh", "Cosh"]);

/** The index of a function of vectors. */
function functionIn(unit: Unit, name: string, format: Format): number {
  const count = operandsOf(name);
  return unit.function(`${name}/${format.float}`, vectors(count), ["v128"], (target) => {
    const p = new Vectors(target, unit, format);
    const [x, y] = [() => target.get(0), () => target.get(count - 1)];
    functions[name]!(p, x, y)();
    p.end();
  });
}

/** Functions short enough to be written out inside a loop. */
const short: ReadonlySet<string> = new Set(["Exp", "Tanh", "Sigmoid"]);

export function isShortFunction(name: string): boolean {
  return short.has(name);
}

/** Replaces the vector on the stack by f of it, written out in place. */
export function writeOut(unit: Unit, code: Code, name: string, lanes: 2 | 4): void {
  const p = new Vectors(code, unit, lanes === 2 ? pairs : quads);
  const x = p.argument();
  functions[name]!(p, x, x)();
  p.end();
}

/** Replaces the pairs of float64 on the stack by f of them. */
export function callPairs(unit: Unit, code: Code, name: string): void {
  code.call(functionIn(unit, name, pairs));
}

/** The same for four float32; through float64, correct but for the last rounding, where there is no shorter way. */
export function callQuads(unit: Unit, code: Code, name: string): void {
  if (single.has(name)) {
    code.call(functionIn(unit, name, quads));
    return;
  }
  const count = operandsOf(name);
  const index = unit.function(`${name}/through float64`, vectors(count), ["v128"], (target) => {
    for (let i = 0; i < count; i++) target.get(i).vector("f64x2.promote_low_f32x4");
    callPairs(unit, target, name);
    target.vector("f32x4.demote_f64x2_zero");
    for (let i = 0; i < count; i++) {
      target.get(i).get(i).shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
      target.vector("f64x2.promote_low_f32x4");
    }
    callPairs(unit, target, name);
    target.vector("f32x4.demote_f64x2_zero");
    target.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  });
  code.call(index);
}
