import { pullback } from "../autodiff/vjp.js";
import { GradientMethodError } from "../chains/syntax.js";
import type { VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { scaled } from "../methods/cotangents.js";
import type { State } from "../methods/method.js";
import { add, div, mul, neg, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { loop } from "../ops/control.js";
import { zerosLike } from "../ops/generate.js";
import { zeros } from "../ops/linalg.js";
import { reshape, unsqueeze } from "../ops/reshape.js";
import { flip } from "../ops/slice.js";
import { concat, gather, split } from "../ops/slicing.js";
import { firstTime, intervalAt, parameterTypes, type Setting, stepsTo, systemIn } from "./inputs.js";
import { inputType, programOf } from "./program.js";
import { solve } from "./solve.js";
import type { BackwardInputs, GradientMethod, SolveAdjoint } from "./solve-adjoint.js";
import { pairMaxima, relativeDrift } from "./watch.js";

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
  /** number of components of y and a together, the first of the vector */
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
 * @param weight  of g in the vector, which holds weight · g: a tiny one hides g from norms. A power of two, so that
 *   nothing is rounded
 * @see Chen, Rubanova, Bettencourt & Duvenaud 2018, "Neural Ordinary Differential Equations", arXiv:1806.07366
 */
export function adjointField(field: VectorField, state: readonly number[], weight = 1): AdjointField {
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
    return { y: pieces[0]!, a: pieces[1]!, parameters: pieces.slice(2).map((g) => div(b, g, weight)) };
  };
  return {
    name: `adjoint of ${field.name}`,
    state: [sizes.reduce((sum, size) => sum + size, 0)],
    parameters: field.parameters,
    size: 2 * sizes[0]!,
    join: (b, { y, a, parameters }) => flat(b, [y, a, ...parameters.map((g) => mul(b, g, weight))]),
    part,
    ...(field.jumps === undefined ? {} : { jumps: field.jumps }),
    apply(b, theta, t, vector, inside) {
      const { y, a } = part(b, vector);
      const slope = field.apply(b, theta, t, y, inside);
      const parameters = Object.values(theta);
      const [aBar, ...gBars] = pullback(b, [slope], [a], [y, ...parameters]);
      const minus = (value: Value | null | undefined, like: Value, factor: number) =>
        value ? mul(b, neg(b, value), factor) : zerosLike(b, like);
      return flat(b, [
        slope,
        minus(aBar, y, 1),
        ...parameters.map((value, i) => minus(gBars[i], value, weight)),
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
export const continuousAdjoint = {
  name: "continuous",
  syntax: {
    kind: "continuous",
    summary: "solves the adjoint equation backwards",
    example: {
      typed: "continuous:seminorm",
      means: "errors of y and its adjoint alone, where steps are chosen",
    },
    parse(option, text) {
      if (option === null) return { kind: "continuous" };
      if (option === "seminorm") return { kind: "continuous", seminorm: true };
      throw new GradientMethodError(`The only option of "continuous" is seminorm, but "${text}" was given.`);
    },
    show: ({ seminorm }) => (seminorm ? "seminorm" : null),
  },
  exact: false,
  undoes: false,
  cost: () => ({ states: 1, again: 0 }),
  solve(b, setting, inputs) {
    const { ys, end, observed } = solve(b, setting, inputs, pairMaxima);
    return { ys, drift: relativeDrift(b, setting, inputs.y0, end, observed), saved: [] };
  },
  pull(b, setting, inputs, { ys }, cotangent) {
    const { field, method, saves, state, dtype } = setting;
    const { parameters, grid, y0, shares } = inputs;
    const adjoint = adjointField(field, state);
    const times = concat(b, [unsqueeze(b, firstTime(b, grid), [0]), grid.t1], 0);
    const carried = [
      y0,
      zeros(b, dtype, state),
      ...Object.values(parameters).map((value) => zerosLike(b, value)),
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
          carried: method.step(systemIn(inner, adjoint, parameters, back), back, within as unknown as State),
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
      times: shares === null ? null : timesGradient(b, setting, inputs, scans[0]!, a!),
      reconstructed: reconstructed!,
      reconstructionError: null,
    };
  },
} as const satisfies SolveAdjoint<Extract<GradientMethod, { readonly kind: "continuous" }>>;

/** ∂L/∂tₖ = ⟨ȳₖ, f(tₖ, yₖ)⟩ at the saves, and −⟨a(t0), f(t0, y0)⟩ at the first time. */
function timesGradient(
  b: Builder,
  { field }: Setting,
  { parameters, grid, y0 }: BackwardInputs,
  atSaves: Value,
  a: Value,
): Value {
  const slope = field.apply(b, parameters, firstTime(b, grid), y0);
  const first = scaled(b, reduceSum(b, mul(b, a, slope)), -1)!;
  return concat(b, [unsqueeze(b, first, [0]), flip(b, atSaves, 0)], 0);
}

// The same where steps are chosen: the solve from save to save is another program, between the two below.

/**
 * The program of what happens at a save: the vector as it comes there, with a moved by what arrives, and y as it was
 * saved. Where times have a gradient, also ∂L/∂tₖ = ⟨ȳₖ, f(tₖ, yₖ)⟩.
 */
export function jumpProgram(setting: Setting, adjoint: AdjointField, times: boolean) {
  const { field, dtype, state, saves } = setting;
  const states = inputType(dtype, [saves, ...state]);
  const inputs = {
    parameters: parameterTypes(setting),
    vector: inputType(dtype, adjoint.state),
    save: inputType("int64", []),
    t: inputType(dtype, []),
    ...{ ys: states, arriving: states },
  };
  return programOf("jump", inputs, (b, { parameters, vector, save, t, ys, arriving }) => {
    const [y, own] = [gather(b, ys, save), gather(b, arriving, save)];
    const before = adjoint.part(b, vector);
    return {
      next: adjoint.join(b, { ...before, y, a: add(b, before.a, own) }),
      inTime: times ? reduceSum(b, mul(b, own, field.apply(b, parameters, t, y))) : null,
    };
  });
}

/** The program from the vector at the first time to the gradient: with ∂L/∂t0 = −⟨a, f(t0, y0)⟩, where it is wanted. */
export function adjointEndProgram(setting: Setting, adjoint: AdjointField, times: boolean) {
  const { field, dtype, state } = setting;
  const inputs = {
    parameters: parameterTypes(setting),
    vector: inputType(dtype, adjoint.state),
    y0: inputType(dtype, state),
    t: inputType(dtype, []),
  };
  return programOf("adjoint-end", inputs, (b, { parameters: theta, vector, y0, t }) => {
    const { y, a, parameters } = adjoint.part(b, vector);
    const names = Object.keys(field.parameters);
    return {
      gradients: {
        y0: a,
        parameters: Object.fromEntries(names.map((name, i) => [name, parameters[i]!])),
      },
      inTime: times ? neg(b, reduceSum(b, mul(b, a, field.apply(b, theta, t, y0)))) : null,
      reconstructed: y,
    };
  });
}
