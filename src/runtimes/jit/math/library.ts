import type { Unit } from "../unit.js";
import type { Code, Push } from "../wasm/index.js";
import { exp, sigmoid, tanh } from "./exponential.js";
import { log } from "./logarithm.js";
import { atan, reduceSmall, sineOf } from "./trigonometric.js";
import { Pairs } from "./vectors.js";

const functions: Readonly<Record<string, (p: Pairs, x: Push) => Push>> = {
  Exp: exp,
  Tanh: tanh,
  Sigmoid: sigmoid,
  Log: log,
  Sin: (p, x) => sineOf(p, reduceSmall(p, x), 0),
  Cos: (p, x) => sineOf(p, reduceSmall(p, x), 1),
  Atan: atan,
};

export function hasVectorFunction(name: string): boolean {
  return name in functions;
}

/** Replaces the pair of float64 on the stack by f of it. @param inlined  written here rather than called */
export function callPairs(unit: Unit, code: Code, name: string, inlined = false): void {
  const write = (target: Code) => {
    const p = new Pairs(target, unit);
    const x = p.argument();
    functions[name]!(p, x)();
    p.end();
  };
  if (inlined) write(code);
  else {
    const index = unit.vectorFunction(name, 1, (target) => {
      target.get(0);
      write(target);
    });
    code.call(index);
  }
}

/** The same for four float32, through float64: correct but for the last rounding. */
export function callQuads(unit: Unit, code: Code, name: string): void {
  const index = unit.vectorFunction(`${name}/float32`, 1, (target) => {
    target.get(0).vector("f64x2.promote_low_f32x4");
    callPairs(unit, target, name);
    target.vector("f32x4.demote_f64x2_zero");
    target.get(0).get(0).shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
    target.vector("f64x2.promote_low_f32x4");
    callPairs(unit, target, name);
    target.vector("f32x4.demote_f64x2_zero");
    target.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  });
  code.call(index);
}
