import type { Unit } from "../unit.js";
import type { Code, Local, Push, ValType } from "../wasm/index.js";
import { erf } from "./error-function.js";
import { cosh, exp, sigmoid, sinh } from "./exponential.js";
import { tanh } from "./hyperbolic-tangent.js";
import { log } from "./logarithm.js";
import { emitPipeline, type Staged, throughStages } from "./pipeline.js";
import { pow } from "./power.js";
import { atan, cos, sin } from "./trigonometric.js";
import { type Format, pairs, quads, Vectors } from "./vectors.js";

/** A function in one stage. */
function whole(f: (p: Vectors, x: Push, y: Push) => Push): Staged {
  return [(p, x, y) => [p.let(f(p, x!, y!))]];
}

const functions: Readonly<Record<string, Staged>> = {
  Exp: exp,
  Tanh: tanh,
  Sigmoid: sigmoid,
  Log: whole(log),
  Sin: whole(sin),
  Cos: whole(cos),
  Atan: whole(atan),
  Erf: whole(erf),
  Sinh: whole(sinh),
  Cosh: whole(cosh),
  Pow: whole(pow),
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
    const operands = [() => target.get(0), () => target.get(count - 1)];
    throughStages(p, functions[name]!, operands)();
    p.end();
  });
}

/** Functions short enough to be written out inside a loop. */
const short: ReadonlySet<string> = new Set(["Exp", "Tanh", "Sigmoid"]);

export function isShortFunction(name: string): boolean {
  return short.has(name);
}

/** Writes f of `count` vectors from one pointer to another. Returns how far behind the end the pointers stand, in bytes. */
export function emitArray(
  unit: Unit,
  code: Code,
  name: string,
  lanes: 2 | 4,
  count: number,
  pointers: { readonly from: Local; readonly to: Local },
): number {
  return emitPipeline(unit, code, lanes === 2 ? pairs : quads, functions[name]!, count, pointers);
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
