import { checkOptions } from "../core/options.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, neg, sub } from "../ops/arithmetic.js";
import { pow } from "../ops/power.js";
import { concat, split } from "../ops/slicing.js";
import type { Parameter, VectorField } from "./field.js";

// Mechanistic fields: equations with a name and parameters with a meaning. States are [batch, components].

/** The components of a state, each [batch, 1]. */
function componentsOf(b: Builder, y: Value, count: number): Value[] {
  return split(b, y, 1, new Array<number>(count).fill(1));
}

/** A scalar parameter and its first guess. */
function scalarParameter(guess: number): Parameter {
  return { shape: [], initial: () => [guess] };
}

/**
 * Susceptible, infected and recovered in a closed population of N (Kermack & McKendrick 1927):
 *
 *   S' = −b S I / N,   I' = b S I / N − k I,   R' = k I
 *
 * with the rates of infection b and of recovery k, both per unit of time.
 */
export function sir(options: { population: number; b?: number; k?: number }): VectorField {
  checkOptions("sir", options, { population: true, b: true, k: true }, { beta: "say b", gamma: "say k" });
  const { population, b = 1, k = 0.5 } = options;
  return {
    name: "sir",
    state: ["batch", 3],
    components: ["susceptible", "infected", "recovered"],
    parameters: { b: scalarParameter(b), k: scalarParameter(k) },
    apply(g, theta, _t, y) {
      const [s, i] = componentsOf(g, y, 3) as [Value, Value];
      const infections = mul(g, mul(g, theta.b!, 1 / population), mul(g, s, i));
      const recoveries = mul(g, theta.k!, i);
      return concat(g, [neg(g, infections), sub(g, infections, recoveries), recoveries], 1);
    },
  };
}

/**
 * Prey x and predators y (Lotka 1925, Volterra 1926):
 *
 *   x' = α x − β x y,   y' = δ x y − γ y
 */
export function lotkaVolterra(
  guess: { alpha?: number; beta?: number; delta?: number; gamma?: number } = {},
): VectorField {
  checkOptions("lotkaVolterra", guess, { alpha: true, beta: true, delta: true, gamma: true });
  const { alpha = 0.5, beta = 0.025, delta = 0.025, gamma = 0.8 } = guess;
  return {
    name: "lotka-volterra",
    state: ["batch", 2],
    components: ["prey", "predators"],
    parameters: {
      alpha: scalarParameter(alpha),
      beta: scalarParameter(beta),
      delta: scalarParameter(delta),
      gamma: scalarParameter(gamma),
    },
    apply(g, theta, _t, state) {
      const [x, y] = componentsOf(g, state, 2) as [Value, Value];
      const meetings = mul(g, x, y);
      return concat(
        g,
        [
          sub(g, mul(g, theta.alpha!, x), mul(g, theta.beta!, meetings)),
          sub(g, mul(g, theta.delta!, meetings), mul(g, theta.gamma!, y)),
        ],
        1,
      );
    },
  };
}

/**
 * Chandrasekhar's white-dwarf equation, as a system with the derivative as second component:
 *
 *   φ' = v,   v' = −(φ² − C)^{3/2} − 2 v / (t + ½)
 *
 * The shift of ½ keeps the start away from the singularity at the centre.
 */
export function whiteDwarf(options: { c?: number } = {}): VectorField {
  checkOptions("whiteDwarf", options, { c: true });
  const { c = 0.001 } = options;
  return {
    name: "white-dwarf",
    state: ["batch", 2],
    components: ["φ", "φ'"],
    parameters: {},
    apply(g, _theta, t, y) {
      const [phi, v] = componentsOf(g, y, 2) as [Value, Value];
      const pressure = pow(g, sub(g, mul(g, phi, phi), c), 1.5);
      const friction = div(g, mul(g, v, 2), add(g, t, 0.5));
      return concat(g, [v, neg(g, add(g, pressure, friction))], 1);
    },
  };
}
