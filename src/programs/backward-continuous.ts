import { pullback } from "../autodiff/vjp.js";
import type { VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { scaled } from "../methods/cotangents.js";
import type { State } from "../methods/method.js";
import { add, mul, neg, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { loop } from "../ops/control.js";
import { negated, zeros } from "../ops/linalg.js";
import { reshape, unsqueeze } from "../ops/reshape.js";
import { flip } from "../ops/slice.js";
import { concat, gather, split } from "../ops/slicing.js";
import {
  type BackwardInputs,
  type DifferentiableSolve,
  type SolveCotangents,
  zerosOf,
} from "./backward-step.js";
import { firstTime, intervalAt, type Setting, stepsTo, systemIn } from "./inputs.js";
import { solve } from "./solve.js";

/** The parts of an augmented state. */
export interface AdjointParts {
  readonly y: Value;
  /** a = ∂L/∂y(t) */
  readonly a: Value;
  /** ∂L/∂θ gathered from t on, one value per parameter */
  readonly parameters: readonly Value[];
}

/** An equation together with its adjoint, as one equation on one vector. */
export interface AdjointField extends VectorField {
  /** number of components of y, and of a: those that seminorms look at are the first 2 · size */
  readonly size: number;
  readonly join: (b: Builder, parts: AdjointParts) => Value;
  readonly part: (b: Builder, vector: Value) => AdjointParts;
}

/**
 * The augmented equation of the continuous adjoint, on the vector [y, a, g]:
 *
 *   dy/dt = f(t, y; θ),   da/dt = −[∂y f]ᵀ a,   dg/dt = −[∂θ f]ᵀ a
 *
 * @param state  shape of y, batch included
 * @see Chen, Rubanova, Bettencourt & Duvenaud 2018, "Neural Ordinary Differential Equations", arXiv:1806.07366
 */
export function adjointField(field: VectorField, state: readonly number[]): AdjointField {
  const shapes = [state, state, ...Object.values(field.parameters).map(({ shape }) => shape)];
  const sizes = shapes.map((shape) => shape.reduce((product, dim) => product * dim, 1));
  const flat = (b: Builder, values: readonly Value[]) =>
    concat(
      b,
      values.map((value) => reshape(b, value, [-1])),
      0,
    );
  const part = (b: Builder, vector: Value): AdjointParts => {
    const pieces = split(b, vector, 0, sizes).map((piece, i) => reshape(b, piece, shapes[i]!));
    return { y: pieces[0]!, a: pieces[1]!, parameters: pieces.slice(2) };
  };
  return {
    name: `adjoint of ${field.name}`,
    state: [sizes.reduce((sum, size) => sum + size, 0)],
    parameters: field.parameters,
    size: sizes[0]!,
    join: (b, { y, a, parameters }) => flat(b, [y, a, ...parameters]),
    part,
    apply(b, theta, t, vector) {
      const { y, a } = part(b, vector);
      const slope = field.apply(b, theta, t, y);
      const parameters = Object.values(theta);
      const pulled = pullback(b, [slope], [a], [y, ...parameters]);
      return flat(b, [
        slope,
        ...[y, ...parameters].map((value, i) => negated(b, pulled[i] ?? null) ?? zerosOf(b, value)),
      ]);
    },
  };
}

/**
 * The continuous adjoint: the augmented equation solved backwards over the same steps, from each save to the one
 * before. At a save, a jumps by the cotangent that arrives there, and y is what the forward solve saved.
 *
 * This differentiates the equation, not the solve: its error is of the order of the method.
 */
export function continuousGradient(
  b: Builder,
  setting: Setting,
  inputs: BackwardInputs,
): DifferentiableSolve {
  const { field, method, saves, state, dtype } = setting;
  const { parameters, grid, y0, shares } = inputs;
  const adjoint = adjointField(field, state);
  const { ys } = solve(b, setting, inputs);
  const pull = (cotangent: Value): SolveCotangents => {
    const times = concat(b, [unsqueeze(b, firstTime(b, grid), [0]), grid.t1], 0);
    const carried = [
      y0,
      zeros(b, dtype, state),
      ...Object.values(parameters).map((value) => zerosOf(b, value)),
    ];
    const { carried: left, scans } = loop(b, { trips: saves, carried, length: saves }, (outer, k, values) => {
      const save = sub(outer, outer.scalar("int64", saves - 1), k);
      const y = gather(outer, ys, save);
      const arriving = gather(outer, cotangent, save);
      const a = add(outer, values[1]!, arriving);
      const t = gather(outer, times, gather(outer, grid.offsets, add(outer, save, outer.scalar("int64", 1))));
      const start = method.start(
        systemIn(outer, adjoint, parameters),
        t,
        adjoint.join(outer, { y, a, parameters: values.slice(2) }),
      );
      const [first, count] = stepsTo(outer, grid, save);
      const last = add(outer, first, sub(outer, count, outer.scalar("int64", 1)));
      const { carried: end } = loop(outer, { trips: count, carried: start }, (inner, j, within) => {
        const { t0, t1, h } = intervalAt(inner, grid, sub(inner, last, j));
        const back = { t0: t1, t1: t0, h: neg(inner, h) };
        return {
          carried: method.step(systemIn(inner, adjoint, parameters), back, within as unknown as State),
        };
      });
      const parts = adjoint.part(outer, end[0]!);
      const slope = () => field.apply(outer, parameters, t, y);
      return {
        carried: [parts.y, parts.a, ...parts.parameters],
        scans: shares === null ? [] : [reduceSum(outer, mul(outer, arriving, slope()))],
      };
    });
    const [reconstructed, a, ...gradients] = left;
    return {
      y0: a!,
      parameters: gradients,
      times: shares === null ? null : timesGradient(scans[0]!, a!),
      reconstructed: reconstructed!,
    };
  };

  // ∂L/∂tₖ = ⟨ȳₖ, f(tₖ, yₖ)⟩ at the saves, and −⟨a(t0), f(t0, y0)⟩ at the first time
  function timesGradient(atSaves: Value, a: Value): Value {
    const slope = field.apply(b, parameters, firstTime(b, grid), y0);
    const first = scaled(b, reduceSum(b, mul(b, a, slope)), -1)!;
    return concat(b, [unsqueeze(b, first, [0]), flip(b, atSaves, 0)], 0);
  }
  return { ys, pull };
}
