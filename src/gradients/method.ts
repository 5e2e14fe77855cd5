import type { AdjointSpec } from "../chains/adjoints.js";
import { kindsOf, optionsOf, parseAmong, showAmong } from "../chains/syntax.js";
import { adjointFor, type GraphGradient, solveAdjoints } from "../programs/adjoints.js";
import type { GradientMethod } from "../programs/solve-adjoint.js";

export type { GradientMethod };

/** The kinds of gradient methods, as users type them. */
export const gradientKinds: readonly GradientMethod["kind"][] = kindsOf(solveAdjoints);

/** What options there are, as users type them, and what for. */
export const gradientOptions: readonly string[] = optionsOf(solveAdjoints);

/** A gradient method, or what users type for it. */
export type GradientSpec = AdjointSpec | GradientMethod | GradientMethod["kind"] | "continuous:seminorm";

/** A gradient method, or the word that leaves it to revort. */
export type GradientRequest = GradientSpec | "auto";

/** As users type it: a gradient method, or `auto`. @throws {GradientMethodError} naming what was not understood */
export function parseGradientRequest(text: string): GradientMethod | "auto" {
  return text.trim() === "auto" ? "auto" : parseGradientMethod(text);
}

/** What was asked for, as users type it. */
export function showGradientRequest(request: GradientMethod | "auto"): string {
  return request === "auto" ? request : showGradientMethod(request);
}

/**
 * A gradient method from what users type: `reversible`, `reversible:100` (or `reversible:refresh 100`), `direct`,
 * `checkpoint`, `checkpoint:8`, `continuous`, `continuous:seminorm`.
 *
 * @throws {GradientMethodError} naming what was not understood
 */
export function parseGradientMethod(text: string): GradientMethod {
  return parseAmong(solveAdjoints, text);
}

/** @throws {GradientMethodError} for text or numbers that are not understood */
export function gradientMethodOf(spec: GradientSpec): GradientMethod {
  return parseGradientMethod(typeof spec === "string" ? spec : showGradientMethod(spec));
}

/** A gradient method as users type it. */
export function showGradientMethod(method: GradientMethod): string {
  return showAmong(solveAdjoints, method);
}

/** The name of the adjoint that a method asks for: what the graph of a gradient is to do. */
export function graphGradientOf(method: GradientMethod): GraphGradient {
  return adjointFor(method).name as GraphGradient;
}
