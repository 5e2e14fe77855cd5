import { checkOptions, OptionError, showValue } from "../core/options.js";
import type { FloatDType } from "../core/tensor.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { combined, flat, gram, likeState, noRows, products, withRow } from "./columns.js";
import { ridgeSolution } from "./ridge.js";
import { checkMemory, checkRelaxation, defect, type FixedPointSolver } from "./solver.js";

/** Relative to the diagonal, where nothing else is said: so little that it only decides what rounding would. */
const usualRidge: Readonly<Record<FloatDType, number>> = { float64: 1e-14, float32: 1e-7 };

export interface AndersonOptions {
  /** m, how many steps are remembered; 6 by default */
  readonly memory?: number;
  /** β, how much of the mixed residual is added; 1 by default */
  readonly relaxation?: number;
  /** of the least squares, relative to its diagonal; it grows by itself where they are singular */
  readonly ridge?: number;
}

const optionNames = {
  ...{ memory: true, relaxation: true, ridge: true },
} satisfies Record<keyof AndersonOptions, true>;

/**
 * Anderson's acceleration. With g = f(z) − z and the differences of the last m steps as rows of ΔZ and ΔG,
 *
 *   γ = argmin ‖gₖ − ΔGᵀ γ‖,   zₖ₊₁ = zₖ + β gₖ − (ΔZ + β ΔG)ᵀ γ
 *
 * for each sample by itself. On a linear f of d components it ends after d + 1 steps where m ≥ d.
 *
 * @throws {OptionError} for options out of range
 * @see Anderson 1965; Walker & Ni 2011, "Anderson acceleration for fixed-point iterations"
 */
export function anderson(options: AndersonOptions = {}): FixedPointSolver {
  checkOptions("anderson", options, optionNames, {
    m: "say memory",
    beta: "say relaxation",
    lam: "say ridge",
  });
  const { memory = 6, relaxation: β = 1, ridge } = options;
  checkMemory("anderson", memory);
  checkRelaxation("anderson", β);
  if (ridge !== undefined && !(ridge > 0 && Number.isFinite(ridge))) {
    throw new OptionError(`The ridge of anderson is above 0, but ${showValue(ridge)} was given.`);
  }
  return {
    name: "anderson",
    settings: { memory, relaxation: β, ...(ridge === undefined ? {} : { ridge }) },
    evaluations: 1,
    start(b, z0) {
      const none = noRows(b, flat(b, z0), memory);
      return [none, none];
    },
    step(b, f, { z, fz, memory: [dZ, dG] }) {
      const g = flat(b, defect(b, { z, fz }));
      const smallest = ridge ?? usualRidge[z.dtype as FloatDType];
      const γ = ridgeSolution(b, gram(b, dG!), products(b, dG!, g), smallest);
      const along = sub(b, mul(b, g, β), combined(b, add(b, dZ!, mul(b, dG!, β)), γ));
      const next = add(b, z, likeState(b, along, z));
      const after = f(b, next);
      const change = sub(b, flat(b, defect(b, { z: next, fz: after })), g);
      return { z: next, fz: after, memory: [withRow(b, dZ!, along), withRow(b, dG!, change)] };
    },
  };
}
