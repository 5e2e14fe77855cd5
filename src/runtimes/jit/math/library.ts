import type { Unit } from "../unit.js";
import type { Code, Push, ValType } from "../wasm/index.js";
import { erf } from "./error-function.js";
import { cosh, exp, sigmoid, sinh, tanh } from "./exponential.js";
import { log } from "./logarithm.js";
import { pow } from "./power.js";
import { atan, cos, sin } from "./trigonometric.js";
import { Pairs } from "./vectors.js";

const functions: Readonly<Record<string, (p: Pairs, x: Push, y: Push) => Push>> = {
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

/** Replaces the pairs of float64 on the stack by f of them. @param inlined  written here rather than called */
export function callPairs(unit: Unit, code: Code, name: string, inlined = false): void {
  const count = operandsOf(name);
  const write = (target: Code) => {
    const p = new Pairs(target, unit);
    const last = p.argument();
    const [x, y] = count === 1 ? [last, last] : [p.argument(), last];
    functions[name]!(p, x, y)();
    p.end();
  };
  if (inlined) write(code);
  else {
    const index = unit.function(name, vectors(count), ["v128"], (target) => {
      for (let i = 0; i < count; i++) target.get(i);
      write(target);
    });
    code.call(index);
  }
}

/** The same for four float32, through float64: correct but for the last rounding. */
export function callQuads(unit: Unit, code: Code, name: string): void {
  const count = operandsOf(name);
  const index = unit.function(`${name}/float32`, vectors(count), ["v128"], (target) => {
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
