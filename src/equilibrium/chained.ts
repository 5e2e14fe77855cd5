import { pullback } from "../autodiff/vjp.js";
import type { Chain } from "../chains/chain.js";
import { isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { accumulate, mul, sub } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import { greater, lessOrEqual, where as whereScalar } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import type { Iteration } from "./cell.js";
import { type Iterating, type Reached, stepped } from "./iterate.js";
import { lostOfGradient } from "./reconstruction.js";
import { isReversibleSolver, unmixed } from "./reversible.js";
import { any, goesOn, residualOf, toleranceOf, whereSample } from "./stop.js";

/** A cell at given values: these are what all steps share. */
export type IterationAt = (given: readonly Value[]) => Iteration;

/** What all steps share. */
export interface Shared {
  /** what the cell reads */
  readonly given: readonly Value[];
  /** z before the first step, where steps are undone: it is known, and better than what undoing leaves of it */
  readonly first: Value | null;
}

type IterationChain = Chain<Reached, Shared>;

/**
 * The iteration as a chain. Its steps are masked: a sample that has converged is not changed, so that as many of its
 * steps are undone as were taken.
 *
 * @param endsEarly  whether it ends as soon as all samples have converged; otherwise, and without a tolerance, it takes
 *   all steps
 */
export function chainOf(
  name: string,
  at: IterationAt,
  { solver, stop }: Iterating,
  endsEarly: boolean,
): IterationChain {
  const isActive = (b: Builder, { z, fz }: Reached) => goesOn(b, stop, residualOf(b, stop, z, fz));
  const chain: IterationChain = {
    name,
    step: (b, { shared }, before) => stepped(b, at(shared.given), before, isActive(b, before), solver),
    // f(z) follows from z
    report: ({ z, memory }) => [z, memory],
    ...(isReversibleSolver(solver) ? { ...reversed(at, solver.relaxation), lost: lostOfGradient } : {}),
  };
  if (!endsEarly || toleranceOf(stop) === 0) return chain;
  return { ...chain, proceed: (b, _link, _before, after) => any(b, isActive(b, after)) };
}

/**
 * The steps of a pair undone, and their cotangents, with two evaluations and two pullbacks:
 *
 *   ȳ₁ ← ȳ₁ + β [∂f(y₁)]ᵀ z̄₁,   z̄₀ = (1 − β) z̄₁ + β [∂f(z₀)]ᵀ ȳ₁,   ȳ₀ = (1 − β) ȳ₁
 *
 * What f(z₀) contributes is counted there, so that the cotangent of the f(z) which the state carries stays 0. The pullbacks
 * of the first step are taken at the start itself: it often is a point where f has a kink, as 0 under a relu without a
 * bias, on one side or the other of which rounding would put it.
 */
function reversed(at: IterationAt, β: number): Pick<IterationChain, "undo" | "back"> {
  const undone = (b: Builder, f: Iteration, i: Value, after: Reached, first: Value | null) => {
    const [y1] = after.memory as [Value];
    const isActive = greater(b, after.steps, i);
    const where = (value: Value, otherwise: Value) => whereSample(b, isActive, value, otherwise);
    const fy = f(b, y1);
    const z = where(unmixed(b, β, after.z, fy), after.z);
    const point = first === null ? z : whereScalar(b, lessOrEqual(b, i, 0), first, z);
    const fz = f(b, point);
    const y = where(unmixed(b, β, y1, fz), y1);
    const steps = sub(b, after.steps, cast(b, isActive, "int64"));
    return { before: { z, fz, memory: [y], steps }, y1, fy, point, where };
  };
  return {
    undo: (b, { i, shared: { given, first } }, after) => undone(b, at(given), i, after, first).before,
    back(b, { i, shared: { given, first } }, after, cotangents) {
      const f = at(given);
      const { before, y1, fy, point, where } = undone(b, f, i, after, first);
      const floats = given.filter(({ dtype }) => isFloat(dtype));
      const none = zerosLike(b, after.z);
      const through = (fx: Value, x: Value, cotangent: Value) =>
        pullback(b, [fx], [mul(b, where(cotangent, none), β)], [x, ...floats]);
      const damped = (x: Value) => where(mul(b, x, 1 - β), x);
      const z̄ = cotangents.z ?? none;
      const [toY, ...fromZ] = through(fy, y1, z̄);
      const ȳ = accumulate(b, cotangents.memory[0] ?? none, toY!)!;
      const [toZ, ...fromY] = through(before.fz, point, ȳ);
      return {
        before,
        cotangents: { z: accumulate(b, damped(z̄), toZ!), fz: null, memory: [damped(ȳ)], steps: null },
        shared: {
          given: given.map((value) => {
            const k = floats.indexOf(value);
            return k < 0 ? null : accumulate(b, fromZ[k]!, fromY[k]!);
          }),
          first: null,
        },
        row: null,
      };
    },
  };
}
