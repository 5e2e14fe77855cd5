import { pullback } from "../autodiff/vjp.js";
import { RevortError } from "../core/errors.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { isReversible, type Method, type State } from "../methods/method.js";
import { accumulate, add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { zeros } from "../ops/linalg.js";
import { unsqueeze } from "../ops/reshape.js";
import { concat, gather } from "../ops/slicing.js";
import { firstTime, intervalAt, type Setting, type SolveInputs, stepsTo, systemIn } from "./inputs.js";
import { solve } from "./solve.js";

/** How a solve is differentiated. */
export const gradientMethods = ["reversible", "direct"] as const;
export type GradientMethod = (typeof gradientMethods)[number];

/** A gradient method that cannot be used with a solver. */
export class GradientMethodError extends RevortError {}

/** The cotangents of what goes into a solve. */
export interface SolveCotangents {
  readonly y0: Value;
  readonly parameters: readonly Value[];
  /** y0 as the backward pass reconstructs it, where it does */
  readonly reconstructed: Value | null;
}

/** A solve, and the function that pulls cotangents of the saved states back through it. */
export interface DifferentiableSolve {
  readonly ys: Value;
  readonly pull: (cotangent: Value) => SolveCotangents;
}

/** A solve that can be differentiated, by either method. */
export function differentiableSolve(
  b: Builder,
  gradient: GradientMethod,
  setting: Setting,
  inputs: SolveInputs,
): DifferentiableSolve {
  return gradient === "reversible"
    ? reversibleGradient(b, setting, inputs)
    : directGradient(b, setting, inputs);
}

/** States kept for the backward pass (each of `width` arrays): the whole memory cost of a gradient method. */
export function storedStates(gradient: GradientMethod, steps: number): number {
  return gradient === "reversible" ? 1 : steps + 1;
}

/** Evaluations of the field in one gradient, forward and backward; a pullback needs no further one. */
export function gradientEvaluations(method: Method, steps: number): number {
  return 2 * method.evaluations * steps;
}

/**
 * Backpropagation with reconstruction: each step is undone, and its cotangents pulled through it, from the state at
 * the end, which is all that the forward pass leaves behind.
 *
 * @throws {GradientMethodError} if the method cannot be undone
 */
function reversibleGradient(b: Builder, setting: Setting, inputs: SolveInputs): DifferentiableSolve {
  const { field, method } = setting;
  if (!isReversible(method)) {
    throw new GradientMethodError(
      `The method "${method.name}" cannot be undone, so it has no reversible gradient. ` +
        `Use reversible(${method.name}), or the gradient "direct".`,
    );
  }
  const { parameters, grid } = inputs;
  const { ys, end } = solve(b, setting, inputs);
  const pull = (cotangent: Value): SolveCotangents => {
    const swept = sweepBack(b, setting, inputs, cotangent, end, (inner, i, { state, cotangents, sums }) => {
      const system = systemIn(inner, field, parameters);
      const back = method.back(system, intervalAt(inner, grid, i), state, cotangents);
      return {
        state: back.state,
        cotangents: back.cotangents.map((value, k) => value ?? zerosOf(inner, state[k]!)),
        sums: addAll(inner, sums, back.parameters),
      };
    });
    return { ...throughStart(b, setting, inputs, swept), reconstructed: swept.state[0] };
  };
  return { ys, pull };
}

/** Backpropagation through stored steps: the state before each step is kept, and its cotangents pulled from there. */
function directGradient(b: Builder, setting: Setting, inputs: SolveInputs): DifferentiableSolve {
  const { field, method, saves } = setting;
  const { parameters, y0, grid } = inputs;
  const start = method.start(systemIn(b, field, parameters), firstTime(b, grid), y0);
  const { carried: end, scans: trajectory } = loop(
    b,
    { trips: gather(b, grid.offsets, saves), carried: start },
    (inner, i, state) => ({
      carried: method.step(
        systemIn(inner, field, parameters),
        intervalAt(inner, grid, i),
        state as unknown as State,
      ),
      scans: state,
    }),
  );
  const all = concat(b, [trajectory[0]!, unsqueeze(b, end[0]!, [0])], 0);
  const ys = gather(b, all, gather(b, grid.offsets, b.ints(Array.from({ length: saves }, (_, s) => s + 1))));

  const pull = (cotangent: Value): SolveCotangents => {
    const swept = sweepBack(b, setting, inputs, cotangent, null, (inner, i, { cotangents, sums }) => {
      const system = systemIn(inner, field, parameters);
      const before = trajectory.map((states) => gather(inner, states, i)) as unknown as State;
      const after = method.step(system, intervalAt(inner, grid, i), before);
      const pulled = pullback(inner, after, cotangents, [...before, ...system.parameters]);
      return {
        state: null,
        cotangents: before.map((value, k) => pulled[k] ?? zerosOf(inner, value)),
        sums: addAll(inner, sums, pulled.slice(before.length)),
      };
    });
    return { ...throughStart(b, setting, inputs, swept), reconstructed: null };
  };
  return { ys, pull };
}

/** What goes backwards through the steps. */
interface Sweep<S extends State | null> {
  /** the reconstructed state, where it is reconstructed */
  readonly state: S;
  readonly cotangents: readonly Value[];
  /** cotangents of the parameters, summed over the steps done */
  readonly sums: readonly Value[];
}

/**
 * Goes through the steps from last to first. On the way, each save adds its row of `cotangent` to that of y.
 */
function sweepBack<S extends State | null>(
  b: Builder,
  { method, saves, everyStep, state }: Setting,
  { parameters, grid, y0 }: SolveInputs,
  cotangent: Value,
  end: S,
  stepBack: (b: Builder, i: Value, sweep: Sweep<S>) => Sweep<S>,
): Sweep<S> {
  const width = end === null ? 0 : end.length;
  const pack = (sweep: Sweep<S>): Value[] => [...(sweep.state ?? []), ...sweep.cotangents, ...sweep.sums];
  const unpack = (values: readonly Value[]): Sweep<S> => ({
    state: (end === null ? null : values.slice(0, width)) as S,
    cotangents: values.slice(width, width + method.width),
    sums: values.slice(width + method.width),
  });
  const nothing = zeros(b, y0.dtype as "float64", state);
  const carried = pack({
    state: end,
    cotangents: Array.from({ length: method.width }, () => nothing),
    sums: Object.values(parameters).map((value) => zerosOf(b, value)),
  });
  const swept = loop(b, { trips: saves, carried }, (outer, k, values) => {
    const save = sub(outer, outer.scalar("int64", saves - 1), k);
    const arriving = [...values];
    arriving[width] = add(outer, values[width]!, gather(outer, cotangent, save));
    if (everyStep) return { carried: pack(stepBack(outer, save, unpack(arriving))) };
    const [first, count] = stepsTo(outer, grid, save);
    const last = add(outer, first, sub(outer, count, outer.scalar("int64", 1)));
    return loop(outer, { trips: count, carried: arriving }, (inner, j, within) => ({
      carried: pack(stepBack(inner, sub(inner, last, j), unpack(within))),
    }));
  });
  return unpack(swept.carried);
}

/** Cotangents of y0 and the parameters, through the way in which the method makes its first state. */
function throughStart(
  b: Builder,
  { field, method }: Setting,
  { parameters, y0, grid }: SolveInputs,
  { cotangents, sums }: Sweep<State | null>,
): Omit<SolveCotangents, "reconstructed"> {
  const system = systemIn(b, field, parameters);
  const start = method.start(system, firstTime(b, grid), y0);
  const [y0Bar, ...own] = pullback(b, start, cotangents, [y0, ...system.parameters]);
  return { y0: y0Bar!, parameters: addAll(b, sums, own) };
}

function addAll(b: Builder, sums: readonly Value[], terms: readonly (Value | null)[]): Value[] {
  return sums.map((sum, i) => accumulate(b, sum, terms[i] ?? null)!);
}

function zerosOf(b: Builder, like: Value): Value {
  return zeros(b, like.dtype, like.shape as readonly number[]);
}
