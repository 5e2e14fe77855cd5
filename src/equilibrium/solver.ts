import { OptionError, showValue } from "../core/options.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import type { Iteration } from "./cell.js";

/** Where an iteration is. */
export interface Iterate {
  readonly z: Value;
  /** f(z): what a residual is taken of, and what the next step begins with */
  readonly fz: Value;
  /** what else the solver remembers, each [batch, …] */
  readonly memory: readonly Value[];
}

/** A way to find z = f(z) step by step. Samples of a batch do not mix in it. */
export interface FixedPointSolver {
  readonly name: string;
  readonly settings: Readonly<Record<string, number>>;
  /** evaluations of f that a step takes */
  readonly evaluations: number;
  /** what is remembered before the first step */
  readonly start: (b: Builder, z0: Value) => readonly Value[];
  readonly step: (b: Builder, f: Iteration, at: Iterate) => Iterate;
}

/** x + c (y − x), as (1 − c) x + c y */
export function mixed(b: Builder, c: number, x: Value, y: Value): Value {
  return c === 1 ? y : add(b, mul(b, x, 1 - c), mul(b, y, c));
}

/** zₖ₊₁ = f(zₖ) */
export function simpleIteration(): FixedPointSolver {
  return { ...relaxedIteration({ relaxation: 1 }), name: "simple", settings: {} };
}

/**
 * zₖ₊₁ = (1 − β) zₖ + β f(zₖ), which converges where the eigenvalues λ of ∂f/∂z have |1 − β + β λ| < 1.
 *
 * @param options.relaxation  β; 0.5 by default
 * @throws {OptionError} unless 0 < β < 2
 */
export function relaxedIteration({
  relaxation = 0.5,
}: {
  readonly relaxation?: number;
} = {}): FixedPointSolver {
  checkRelaxation("relaxedIteration", relaxation);
  return {
    name: "relaxed",
    settings: { relaxation },
    evaluations: 1,
    start: () => [],
    step(b, f, { z, fz }) {
      const next = mixed(b, relaxation, z, fz);
      return { z: next, fz: f(b, next), memory: [] };
    },
  };
}

/** @throws {OptionError} unless 0 < β < 2 */
export function checkRelaxation(of: string, relaxation: unknown): void {
  if (typeof relaxation === "number" && relaxation > 0 && relaxation < 2) return;
  throw new OptionError(
    `The relaxation β of ${of} is between 0 and 2, but ${showValue(relaxation)} was given.`,
  );
}

/** How many columns a solver remembers. @throws {OptionError} unless it is a whole number, 1 or more */
export function checkMemory(of: string, memory: unknown): void {
  if (Number.isInteger(memory) && (memory as number) >= 1) return;
  throw new OptionError(
    `The memory of ${of} is a whole number of steps, 1 or more, but ${showValue(memory)} was given.`,
  );
}

/** f(z) − z */
export function defect(b: Builder, { z, fz }: Pick<Iterate, "z" | "fz">): Value {
  return sub(b, fz, z);
}
