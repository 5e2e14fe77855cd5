import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { combine, type RungeKuttaStep, stagesWithLast } from "./increment.js";
import type { Interval, Method, State, System } from "./method.js";
import type { Tableau } from "./tableaux.js";

// The solution between t0 and t1 as a polynomial in θ = (t − t0) / h, by its coefficients q₀, q₁, …:
//
//   y(t0 + θ h) = Σⱼ qⱼ θʲ

/** The coefficients for a step of any method: its own dense output, or else a cubic with f at both ends. */
export function denseOutput(
  method: Method,
  system: System,
  interval: Interval,
  before: State,
  after: State,
): Value[] {
  return (
    method.dense?.(system, interval, before, after) ?? cubicBetween(system, interval, before[0], after[0])
  );
}

/** The coefficients for a step of a tableau: its dense output, or else a cubic with f at both ends. */
export function tableauDense(system: System, tableau: Tableau, step: RungeKuttaStep): Value[] {
  const { b } = system;
  const { dense } = tableau;
  if (dense === undefined) return cubicBetween(system, step, step.y0, step.y1);
  const stages = stagesWithLast(system, tableau, step, dense.weights.length);
  const degree = Math.max(...dense.weights.map((row) => row.length));
  const powers = Array.from({ length: degree }, (_, j) => dense.weights.map((row) => row[j] ?? 0));
  return [step.y0, ...powers.map((weights) => combine(b, step.h, weights, stages)!)];
}

function cubicBetween({ b, f }: System, { t0, t1, h }: Interval, y0: Value, y1: Value): Value[] {
  return cubic(b, h, [y0, f(t0, y0)], [y1, f(t1, y1)]);
}

/**
 * The cubic with given values and slopes at both ends, by its coefficients in θ (Hermite):
 *
 *   q₀ = y0,   q₁ = h f0,   q₂ = 3 (y1 − y0) − h (2 f0 + f1),   q₃ = h (f0 + f1) − 2 (y1 − y0)
 *
 * Between the ends its error is O(h⁴).
 */
export function cubic(
  b: Builder,
  h: Value,
  [y0, f0]: readonly [Value, Value],
  [y1, f1]: readonly [Value, Value],
): Value[] {
  const rise = sub(b, y1, y0);
  const start = mul(b, h, f0);
  const end = mul(b, h, f1);
  const both = add(b, start, end);
  return [y0, start, sub(b, mul(b, rise, 3), add(b, both, start)), sub(b, both, mul(b, rise, 2))];
}

/** Σⱼ qⱼ θʲ, for θ a scalar. */
export function polynomialAt(b: Builder, coefficients: readonly Value[], theta: Value): Value {
  return coefficients.reduceRight((sum, q) => add(b, mul(b, sum, theta), q));
}
