import { type AdjointSpec, type ChainMethod, chainMethodOf } from "../chains/adjoints.js";
import { checkOptions, OptionError, showValue } from "../core/options.js";
import { anderson } from "./anderson.js";
import { isReversibleSolver } from "./reversible.js";
import { checkRelaxation, type FixedPointSolver } from "./solver.js";
import { type StopRule, stopRule } from "./stop.js";

/**
 * By the implicit function theorem. With g = (∂f/∂z)ᵀ g + z̄ at the fixed point, x̄ = (∂f/∂x)ᵀ g: exact as far as z and g
 * are. Constant memory; the warm start has no gradient.
 */
export interface ImplicitGradient {
  readonly kind: "implicit";
  /** finds g */
  readonly solver: FixedPointSolver;
  /** for g; `null` as for z */
  readonly stop: StopRule | null;
}

/**
 * Through k damped steps from the fixed point, zⱼ₊₁ = (1 − τ) zⱼ + τ f(zⱼ), in place of all: the Neumann series of the
 * implicit gradient, cut off. Constant memory; the warm start has no gradient.
 *
 * @see Geng, Zhang, Bai, Wang & Lin 2021, "On Training Implicit Models"
 */
export interface PhantomGradient {
  readonly kind: "phantom";
  /** k */
  readonly steps: number;
  /** τ */
  readonly relaxation: number;
}

/** How a fixed point is differentiated: by the point alone, or through the steps that led to it. */
export type FixedPointGradient = ImplicitGradient | PhantomGradient | ChainMethod;

/** A gradient as it is asked for: `implicit`, `phantom`, `reversible`, `reversible:4`, `direct`, `checkpoint`, `checkpoint:3`. */
export type FixedPointGradientRequest = FixedPointGradient | "implicit" | "phantom" | AdjointSpec;

export interface ImplicitOptions {
  /** finds the adjoint fixed point; Anderson's by default */
  readonly solver?: FixedPointSolver;
  /** when it ends; as the iteration for z by default */
  readonly stop?: Partial<StopRule>;
}

/** The implicit gradient, with the adjoint fixed point found by a solver of its own, to a tolerance of its own. */
export function implicitGradient(options: ImplicitOptions = {}): ImplicitGradient {
  checkOptions("implicitGradient", options, { solver: true, stop: true }, { rtol: "say stop: { rtol }" });
  const { solver = anderson(), stop } = options;
  return { kind: "implicit", solver, stop: stop === undefined ? null : stopRule(stop) };
}

/** The phantom gradient; 5 steps of relaxation 0.5 by default. @throws {OptionError} for options out of range */
export function phantomGradient(
  options: { readonly steps?: number; readonly relaxation?: number } = {},
): PhantomGradient {
  checkOptions("phantomGradient", options, { steps: true, relaxation: true }, { tau: "say relaxation" });
  const { steps = 5, relaxation = 0.5 } = options;
  if (!Number.isInteger(steps) || steps < 1) {
    throw new OptionError(
      `The steps of phantomGradient are a whole number, 1 or more, but ${showValue(steps)} was given.`,
    );
  }
  checkRelaxation("phantomGradient", relaxation);
  return { kind: "phantom", steps, relaxation };
}

/**
 * What a request means. Without one, steps that can be undone are undone, and those of other solvers are differentiated
 * by the implicit function theorem.
 *
 * @throws {GradientMethodError} for a gradient that there is not
 */
export function gradientFor(
  solver: FixedPointSolver,
  request: FixedPointGradientRequest = isReversibleSolver(solver) ? "reversible" : "implicit",
): FixedPointGradient {
  if (request === "implicit") return implicitGradient();
  if (request === "phantom") return phantomGradient();
  if (typeof request === "object" && (request.kind === "implicit" || request.kind === "phantom"))
    return request;
  return chainMethodOf(request);
}
