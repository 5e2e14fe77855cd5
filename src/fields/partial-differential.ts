import { checkOptions, OptionError } from "../core/options.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul, neg, sub } from "../ops/arithmetic.js";
import { concat, split } from "../ops/slicing.js";
import type { Parameter, VectorField } from "./field.js";
import { type Boundary, boundaries, laplacian, slopeAlong } from "./grid.js";

// Partial differential equations by the method of lines: functions on a grid whose derivatives in space are central
// differences, so that what is left is an ordinary equation with a component for each point.

const constant = (guess: number): Parameter => ({ shape: [], initial: () => [guess] });

/** @throws {OptionError} for a grid that is none */
function checkGrid(name: string, points: number, spacing: number, boundary: Boundary): void {
  if (!(Number.isInteger(points) && points > 1 && spacing > 0 && Number.isFinite(spacing))) {
    throw new OptionError(
      `${name} takes two points or more at a positive distance, but ${points} at ${spacing} were given.`,
    );
  }
  if (!boundaries.includes(boundary)) {
    throw new OptionError(`There is no boundary "${boundary}"; there are ${boundaries.join(", ")}.`);
  }
}

export interface LineOptions {
  readonly points: number;
  /** distance of neighbouring points */
  readonly spacing: number;
  readonly boundary: Boundary;
}

const line = { points: true, spacing: true, boundary: true } as const;

/**
 * The heat equation on a line, states [batch, points]:
 *
 *   y_t = κ y_xx
 */
export function heat(options: LineOptions & { readonly conductivity?: number }): VectorField {
  checkOptions("heat", options, { ...line, conductivity: true }, { kappa: "κ is conductivity" });
  const { points, spacing, boundary, conductivity = 1 } = options;
  checkGrid("heat", points, spacing, boundary);
  return {
    ...{ name: "heat", state: ["batch", points] },
    parameters: { conductivity: constant(conductivity) },
    apply: (b, theta, _t, y) => mul(b, theta.conductivity!, laplacian(b, y, { spacing, boundary })),
  };
}

/**
 * Burgers' equation on a line, states [batch, points], with the transport in the form that keeps the total of u:
 *
 *   u_t = −(u² / 2)_x + ν u_xx
 */
export function burgers(options: LineOptions & { readonly viscosity?: number }): VectorField {
  checkOptions("burgers", options, { ...line, viscosity: true }, { nu: "ν is viscosity" });
  const { points, spacing, boundary, viscosity = 0.1 } = options;
  checkGrid("burgers", points, spacing, boundary);
  return {
    ...{ name: "burgers", state: ["batch", points] },
    parameters: { viscosity: constant(viscosity) },
    apply(b, theta, _t, u) {
      const transport = slopeAlong(b, mul(b, mul(b, u, u), 0.5), { spacing, boundary });
      return sub(b, mul(b, theta.viscosity!, laplacian(b, u, { spacing, boundary })), transport);
    },
  };
}

export interface GrayScottOptions {
  readonly rows: number;
  readonly columns: number;
  readonly spacing: number;
  readonly boundary: Boundary;
  /** diffusion of u and of v */
  readonly diffusion?: readonly [number, number];
  readonly feed?: number;
  readonly kill?: number;
}

/**
 * Two substances that diffuse and react, u + 2 v → 3 v, in the plane (Gray & Scott 1984; Pearson 1993). States
 * [batch, 2, rows, columns]:
 *
 *   u_t = Dᵤ Δu − u v² + F (1 − u),   v_t = Dᵥ Δv + u v² − (F + k) v
 *
 * The first guesses are Pearson's: Dᵤ = 2e−5, Dᵥ = 1e−5, on a square of side 2.5.
 */
export function grayScott(options: GrayScottOptions): VectorField {
  checkOptions(
    "grayScott",
    options,
    { rows: true, columns: true, spacing: true, boundary: true, diffusion: true, feed: true, kill: true },
    { F: "F is feed", k: "k is kill", points: "say rows and columns" },
  );
  const { rows, columns, spacing, boundary, diffusion = [2e-5, 1e-5], feed = 0.04, kill = 0.06 } = options;
  checkGrid("grayScott", Math.min(rows, columns), spacing, boundary);
  return {
    ...{ name: "gray-scott", state: ["batch", 2, rows, columns], components: ["u", "v"] },
    parameters: {
      diffusion: { shape: [2, 1, 1], initial: () => [...diffusion] },
      ...{ feed: constant(feed), kill: constant(kill) },
    },
    apply(b, theta, _t, y) {
      const spread = mul(b, theta.diffusion!, laplacian(b, y, { spacing, boundary, dimensions: 2 }));
      return add(b, spread, reaction(b, y, theta.feed!, theta.kill!));
    },
  };
}

/** −u v² + F (1 − u) and u v² − (F + k) v */
function reaction(b: Builder, y: Value, feed: Value, kill: Value): Value {
  const [u, v] = split(b, y, 1, [1, 1]) as [Value, Value];
  const meetings = mul(b, u, mul(b, v, v));
  return concat(
    b,
    [sub(b, mul(b, feed, sub(b, 1, u)), meetings), add(b, meetings, neg(b, mul(b, add(b, feed, kill), v)))],
    1,
  );
}
