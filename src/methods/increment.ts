import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul } from "../ops/arithmetic.js";
import { slice } from "../ops/slice.js";
import { Concat } from "../ops/slicing.js";
import type { System } from "./method.js";
import type { Tableau } from "./tableaux.js";

/**
 * The increment of an explicit Runge–Kutta method,
 *
 *   Ψ_h(t, y) = h Σᵢ bᵢ kᵢ,   kᵢ = f(t + cᵢ h, y + h Σⱼ aᵢⱼ kⱼ)
 *
 * @param h  signed step size, scalar
 */
export function increment(system: System, tableau: Tableau, h: Value, t: Value, y: Value): Value {
  return combine(system.b, h, tableau.b, stagesOf(system, tableau, h, t, y))!;
}

/**
 * The stages kᵢ of a step. Where a graph has them already, as those of its increment, they are the same values.
 *
 * What f does not read of a state is not in the states that it is evaluated at: so the rest of a stage with no weight of its
 * own, as the first of the midpoint rule, is needed nowhere, and no graph has it.
 */
export function stagesOf({ b, f, reads }: System, tableau: Tableau, h: Value, t: Value, y: Value): Value[] {
  const start = reads === undefined ? y : slice(b, y, 1, 0, reads);
  const read = (stage: Value) => (reads === undefined ? stage : firstOf(b, stage, reads));
  const stages: Value[] = [];
  for (const [i, row] of tableau.a.entries()) {
    const ti = tableau.c[i] === 0 ? t : add(b, t, mul(b, h, tableau.c[i]!));
    stages.push(f(ti, moved(b, start, h, row, stages.map(read))));
  }
  return stages;
}

/**
 * The first columns of a stage, from what it was put together of. That is no way to cut a state: a gradient by the state would
 * not see what went past it.
 */
function firstOf(b: Builder, stage: Value, count: number): Value {
  const { node } = stage;
  const first = node?.op === Concat && node.attributes.axis === 1 ? node.inputs[0]! : null;
  return first?.shape[1] === count ? first : slice(b, stage, 1, 0, count);
}

/**
 * y + h Σⱼ wⱼ kⱼ, the last stage last: all that comes before it is known while that stage is evaluated, and need not be
 * waited for.
 */
function moved(b: Builder, y: Value, h: Value, weights: readonly number[], stages: readonly Value[]): Value {
  const last = weights.findLastIndex((weight) => weight !== 0);
  if (last < 0) return y;
  const isLast = (weight: number) => weight === weights[last];
  const before = combine(
    b,
    h,
    weights.map((weight) => (isLast(weight) ? 0 : weight)),
    stages,
  );
  const after = combine(
    b,
    h,
    weights.map((weight) => (isLast(weight) ? weight : 0)),
    stages,
  )!;
  return add(b, before === null ? y : add(b, y, before), after);
}

/**
 * h Σⱼ wⱼ kⱼ. Equal weights are added up first; `null` if all weights are zero.
 */
export function combine(
  b: Builder,
  h: Value,
  weights: readonly number[],
  stages: readonly Value[],
): Value | null {
  let total: Value | null = null;
  for (const weight of new Set(weights)) {
    if (weight === 0) continue;
    const group = stages.filter((_, j) => weights[j] === weight).reduce((sum, k) => add(b, sum, k));
    const term = mul(b, group, mul(b, h, weight));
    total = total === null ? term : add(b, total, term);
  }
  return total;
}

/** A step of a tableau, from (t0, y0) to (t1, y1), with y1 = y0 + Ψ_h(t0, y0). */
export interface RungeKuttaStep {
  readonly t0: Value;
  readonly t1: Value;
  readonly h: Value;
  readonly y0: Value;
  readonly y1: Value;
}

/**
 * The embedded estimate of the local error, h Σᵢ eᵢ kᵢ; `null` if the tableau has none. Where it takes in f(t1, y1),
 * that evaluation is the first stage of the next step.
 */
export function embeddedError(system: System, tableau: Tableau, step: RungeKuttaStep): Value | null {
  const { error } = tableau;
  if (error === undefined) return null;
  return combine(
    system.b,
    step.h,
    error.weights,
    stagesWithLast(system, tableau, step, error.weights.length),
  );
}

/** The stages of a step and, if one more is asked for, f(t1, y1). */
export function stagesWithLast(
  system: System,
  tableau: Tableau,
  { t0, t1, h, y0, y1 }: RungeKuttaStep,
  count: number,
): Value[] {
  const stages = stagesOf(system, tableau, h, t0, y0);
  return count > stages.length ? [...stages, system.f(t1, y1)] : stages;
}
