import type { VectorField } from "../../src/fields/field.js";
import { lotkaVolterra } from "../../src/fields/physical.js";
import type { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { add, div, mul, neg, sub } from "../../src/ops/arithmetic.js";
import { pow } from "../../src/ops/power.js";
import { concat, split } from "../../src/ops/slicing.js";

/** A problem to solve from 0 to t1. The peers' script has the same ones, by the same names. */
export interface Problem {
  readonly field: VectorField;
  /** of the field, where it has any */
  readonly parameters: Readonly<Record<string, number>>;
  readonly y0: readonly number[];
  readonly t1: number;
  /** the state at t1 where it is known; otherwise the peers' script computes it */
  readonly end: readonly number[] | null;
}

/** The Van der Pol oscillator with μ = 1: x' = v, v' = (1 − x²) v − x. */
const vanDerPol: VectorField = {
  name: "van-der-pol",
  state: ["batch", 2],
  parameters: {},
  apply(b, _theta, _t, y) {
    const [x, v] = split(b, y, 1, [1, 1]) as [Value, Value];
    return concat(b, [v, sub(b, mul(b, sub(b, 1, mul(b, x, x)), v), x)], 1);
  },
};

/** The Brusselator (Prigogine & Lefever 1968): x' = 1 + x² y − 4 x, y' = 3 x − x² y. */
const brusselator: VectorField = {
  name: "brusselator",
  state: ["batch", 2],
  parameters: {},
  apply(b, _theta, _t, state) {
    const [x, y] = split(b, state, 1, [1, 1]) as [Value, Value];
    const made = mul(b, mul(b, x, x), y);
    return concat(b, [sub(b, add(b, made, 1), mul(b, x, 4)), sub(b, mul(b, x, 3), made)], 1);
  },
};

/** Mass of the moon as a part of earth and moon together. */
const moon = 0.012277471;

/**
 * The restricted problem of three bodies in the frame that turns with earth and moon (Arenstorf 1963):
 *
 *   x'' = x + 2 y' − μ' (x + μ) / D₁ − μ (x − μ') / D₂,   D₁ = ((x + μ)² + y²)^{3/2}
 *   y'' = y − 2 x' − μ' y / D₁ − μ y / D₂,                D₂ = ((x − μ')² + y²)^{3/2},   μ' = 1 − μ
 */
const threeBody: VectorField = {
  name: "three-body",
  state: ["batch", 4],
  parameters: {},
  apply(b, _theta, _t, state) {
    const [x, y, u, v] = split(b, state, 1, [1, 1, 1, 1]) as [Value, Value, Value, Value];
    const earth = 1 - moon;
    const [toEarth, toMoon] = [add(b, x, moon), sub(b, x, earth)];
    const pull = (mass: number, distance: Value) =>
      div(b, mass, pow(b, add(b, mul(b, distance, distance), mul(b, y, y)), 1.5));
    const [byEarth, byMoon] = [pull(earth, toEarth), pull(moon, toMoon)];
    const away = sumOf(b, [
      x,
      mul(b, v, 2),
      neg(b, mul(b, byEarth, toEarth)),
      neg(b, mul(b, byMoon, toMoon)),
    ]);
    const across = sumOf(b, [y, mul(b, u, -2), neg(b, mul(b, add(b, byEarth, byMoon), y))]);
    return concat(b, [u, v, away, across], 1);
  },
};

function sumOf(b: Builder, terms: readonly Value[]): Value {
  return terms.reduce((sum, term) => add(b, sum, term));
}

/** Start and period of an orbit that closes (Hairer, Nørsett & Wanner, Solving Ordinary Differential Equations I, II.0). */
const orbit = {
  start: [0.994, 0, 0, -2.0015851063790824],
  period: 17.065216560157964,
};

export const problems = {
  "lotka-volterra": {
    field: lotkaVolterra(),
    parameters: { alpha: 1.5, beta: 1, delta: 1, gamma: 3 },
    ...{ y0: [10, 5], t1: 10, end: null },
  },
  "van-der-pol": { field: vanDerPol, parameters: {}, y0: [2, 0], t1: 20, end: null },
  brusselator: { field: brusselator, parameters: {}, y0: [1.01, 3], t1: 20, end: null },
  "three-body": { field: threeBody, parameters: {}, y0: orbit.start, t1: orbit.period, end: orbit.start },
} as const satisfies Record<string, Problem>;

export type ProblemName = keyof typeof problems;
