import { checkOptions } from "../core/options.js";
import { leastNormal } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, neg, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { abs } from "../ops/elementwise.js";
import { zerosLike } from "../ops/generate.js";
import { greater, where } from "../ops/logic.js";
import { gather } from "../ops/slicing.js";
import { combined, flat, likeState, noRows, products, withRow } from "./columns.js";
import { checkMemory, defect, type FixedPointSolver } from "./solver.js";
import { normOf, whereSample } from "./stop.js";

export interface BroydenOptions {
  /** how many updates of the inverse Jacobian are remembered before it starts anew from −I; 30 by default */
  readonly memory?: number;
}

const optionNames = { memory: true } satisfies Record<keyof BroydenOptions, true>;

/**
 * Broyden's "good" method for g(z) = f(z) − z = 0, with the inverse of its Jacobian as B = −I + Uᵀ V:
 *
 *   Δz = −B g,   v = Bᵀ Δz,   u = (Δz − B Δg) / vᵀ Δg,   B ← B + u vᵀ
 *
 * for each sample by itself. Where vᵀ Δg is 0, B is left as it is. Where the memory is full, B starts anew from −I: each
 * update builds on those before it, so that to forget the oldest alone leaves a B of which nothing is known, and diverges.
 *
 * @throws {OptionError} for options out of range
 * @see Broyden 1965; Bai, Kolter & Koltun 2019, "Deep Equilibrium Models"
 */
export function broyden(options: BroydenOptions = {}): FixedPointSolver {
  checkOptions("broyden", options, optionNames, { m: "say memory", LBFGS_thres: "say memory" });
  const { memory = 30 } = options;
  checkMemory("broyden", memory);
  return {
    name: "broyden",
    settings: { memory },
    evaluations: 1,
    start(b, z0) {
      const none = noRows(b, flat(b, z0), memory);
      return [none, none];
    },
    step(b, f, { z, fz, memory: [U, V] }) {
      const g = flat(b, defect(b, { z, fz }));
      const along = neg(b, low(b, U!, V!, g));
      const next = add(b, z, likeState(b, along, z));
      const after = f(b, next);
      const change = sub(b, flat(b, defect(b, { z: next, fz: after })), g);
      const [left, right] = emptied(b, U!, V!);
      const v = low(b, right, left, along);
      const denominator = reduceSum(b, mul(b, v, change), [1], true);
      const isUsable = greater(b, abs(b, denominator), leastNormal[z.dtype as FloatDType]);
      const u = div(b, sub(b, along, low(b, left, right, change)), where(b, isUsable, denominator, 1));
      const kept = where(b, isUsable, u, zerosLike(b, u));
      return { z: next, fz: after, memory: [withRow(b, left, kept), withRow(b, right, v)] };
    },
  };
}

/** U and V, without any of their rows for samples of which the oldest, and so all, are in use. */
function emptied(b: Builder, U: Value, V: Value): [U: Value, V: Value] {
  const isFull = greater(b, normOf(b, gather(b, V, 0, 1)), 0);
  return [U, V].map((rows) => whereSample(b, isFull, zerosLike(b, rows), rows)) as [Value, Value];
}

/** (−I + Uᵀ V) x */
function low(b: Builder, U: Value, V: Value, x: Value): Value {
  return sub(b, combined(b, U, products(b, V, x)), x);
}
