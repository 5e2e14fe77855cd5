import { region, stopGradient } from "../autodiff/region.js";
import type { ChainMethod } from "../chains/adjoints.js";
import { magnitude } from "../chains/magnitude.js";
import { runChain } from "../chains/run-chain.js";
import { type FloatDType, isFloat } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import { storedCloser } from "../gradients/stored-closer.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { SolvesInTraining } from "../nn/layer.js";
import { lessOrEqual } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import { tell } from "../ops/told.js";
import { anderson } from "./anderson.js";
import { type Cell, checkState, FixedPointError, iterationOf } from "./cell.js";
import { chainOf } from "./chained.js";
import {
  type FixedPointGradientRequest,
  gradientFor,
  type ImplicitGradient,
  type PhantomGradient,
} from "./gradient.js";
import { adjointProblem, type Point, pulledAt, pulledThroughSteps } from "./implicit.js";
import { iterate, startOf } from "./iterate.js";
import { gradientLimit, undoingWarning } from "./reconstruction.js";
import { isReversibleSolver } from "./reversible.js";
import type { FixedPointSolver } from "./solver.js";
import { residualOf, type StopRule, stopRule, toleranceOf } from "./stop.js";

export interface FixedPointOptions {
  /** what the cell reads beside z: x, θ, … by name; all floats of it are differentiated */
  readonly given: Values;
  /** where the iteration starts, [batch, …] */
  readonly z0: Value;
  /** Anderson's by default */
  readonly solver?: FixedPointSolver;
  readonly stop?: Partial<StopRule>;
  /** "reversible" by default where the solver is, else "implicit" */
  readonly gradient?: FixedPointGradientRequest;
  /** element type of the state, where that is not the cell's: "float64" over a cell in float32 */
  readonly state?: FloatDType;
  /** which iterate is the answer: that of the least residual by default; the last where steps are differentiated */
  readonly keep?: "last" | "best";
  /** what the model is told that it is in: states are stored closer where a training has lost them */
  readonly training?: SolvesInTraining | null;
}

/** A fixed point, and how far the iteration came. */
export interface FixedPoint {
  /** in the type of z0 */
  readonly z: Value;
  /** ‖z − f(z)‖ / (‖f(z)‖ + atol / rtol), or ‖z − f(z)‖ where rtol is 0; of each sample [batch], or of all [1] */
  readonly residual: Value;
  /** steps up to z, int64, likewise */
  readonly steps: Value;
  /** whether the residual is within the tolerance, bool, likewise */
  readonly converged: Value;
}

/** A problem with everything that is to be known of it. */
interface Problem {
  readonly cell: Cell;
  readonly given: Values;
  /** values of `given`: one that has two names is there once, as it has one cotangent */
  readonly distinct: readonly Value[];
  readonly z0: Value;
  /** z0 in the type of the state */
  readonly start: Value;
  readonly solver: FixedPointSolver;
  readonly stop: StopRule;
  readonly training: SolvesInTraining | null;
}

type Found = Pick<FixedPoint, "z" | "residual" | "steps">;

/**
 * z = f(z, x; θ) as a part of a model, found from z0 by a solver in one Loop. It goes back by the gradient that is asked
 * for, as a region: not through the nodes of the loop. A gradient by undoing steps that rounding has spoilt is NaN: past an
 * estimated error of 1e−5 in float64 and 1e−2 in float32 ({@link lostOfGradient}).
 *
 * @throws {FixedPointError} for a state that is no batch of floats, or a cell that changes its type
 * @throws {GradientMethodError} for a gradient that there is not
 * @throws {ChainError} for a gradient by undoing steps that cannot be undone
 */
export function fixedPoint(b: Builder, cell: Cell, options: FixedPointOptions): FixedPoint {
  const { given, z0, solver = anderson(), training = null } = options;
  checkState(cell, z0);
  const stop = stopRule(options.stop);
  const gradient = gradientFor(solver, options.gradient);
  const problem: Problem = {
    ...{ cell, given, z0, solver, stop, training },
    distinct: [...new Set(Object.values(given))],
    start: cast(b, z0, options.state ?? (z0.dtype as FloatDType)),
  };
  const found =
    gradient.kind === "implicit" || gradient.kind === "phantom"
      ? heldPoint(b, problem, gradient, options.keep ?? "best")
      : throughSteps(b, problem, closeEnough(problem, gradient), options.keep ?? "last");
  const largest = cast(b, magnitude(b, found.residual), z0.dtype);
  tell(b, "residual", largest);
  return {
    ...found,
    z: cast(b, found.z, z0.dtype),
    converged: lessOrEqual(b, found.residual, toleranceOf(stop)),
  };
}

/** The values that a cell is given, by name, out of the distinct ones. */
function namedOf({ given, distinct }: Problem, values: readonly Value[]): Values {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, values[distinct.indexOf(value)]!]),
  );
}

/** A point that is differentiated without regard to how it was found. */
function heldPoint(
  b: Builder,
  problem: Problem,
  gradient: ImplicitGradient | PhantomGradient,
  keep: "last" | "best",
): Found {
  const { cell, z0, start, solver, stop } = problem;
  const [z, residual, steps] = region(b, [start, ...problem.distinct], {
    name: `fixed point of ${cell.name}`,
    build(inner, [first, ...values]) {
      const f = iterationOf(cell, namedOf(problem, values), z0);
      const found = iterate(inner, f, first!, { solver, stop, keep });
      return { outputs: [found.z, found.residual, found.steps] };
    },
    pull(scope, { inputs: [, ...values], outputs: [point] }, [cotangent]) {
      if (!cotangent) return [null, ...values.map(() => null)];
      const own = namedOf(problem, values);
      const f = iterationOf(cell, own, z0);
      const floats = values.filter(({ dtype }) => isFloat(dtype));
      const at = { z: point!, cotangent };
      const pulled =
        gradient.kind === "phantom"
          ? pulledThroughSteps(scope, f, at, gradient, floats)
          : pulledAt(scope, f, { ...at, cotangent: adjointPoint(scope, problem, own, at, gradient) }, floats);
      return [null, ...values.map((value) => pulled[floats.indexOf(value)] ?? null)];
    },
  });
  return { z: z!, residual: residual!, steps: steps! };
}

/** g = (∂f/∂z)ᵀ g + z̄, which is a fixed point too. */
function adjointPoint(
  b: Builder,
  problem: Problem,
  own: Values,
  at: Point,
  gradient: ImplicitGradient,
): Value {
  const { cell, given } = adjointProblem(problem.cell, own, { ...at, like: problem.z0 });
  const { solver, stop } = gradient;
  const { training } = problem;
  const options = { solver, stop: stop ?? problem.stop, gradient, training };
  return fixedPoint(b, cell, { ...options, given, z0: at.cotangent }).z;
}

/** The gradient of the steps, with states stored as close as updates have needed it so far. */
function closeEnough({ cell, z0, start, solver, stop, training }: Problem, chosen: ChainMethod): ChainMethod {
  const isUndone = chosen.kind === "reversible" && !("refresh" in chosen) && isReversibleSolver(solver);
  const warning = isUndone ? undoingWarning(solver, start.dtype as FloatDType, stop.maxSteps) : null;
  if (warning !== null && training?.lost?.length === 0) training.warn?.(warning);
  // what is lost is the rounding of f, whatever type the state has
  const of = {
    method: { name: `reversible iteration of ${cell.name}`, coupling: null },
    dtype: z0.dtype as FloatDType,
  };
  return storedCloser(of, chosen, stop.maxSteps, training) as ChainMethod;
}

/** A point that is differentiated through the steps that led to it. @throws {FixedPointError} if another than the last is asked for */
function throughSteps(b: Builder, problem: Problem, adjoint: ChainMethod, keep: "last" | "best"): Found {
  const { cell, z0, start, stop } = problem;
  if (keep === "best") {
    throw new FixedPointError(
      `The gradient "${adjoint.kind}" goes back from the last iterate. Leave keep out, or take the gradient "implicit" or "phantom".`,
    );
  }
  const at = (values: readonly Value[]) => iterationOf(cell, namedOf(problem, values), z0);
  // which states are stored is planned for a number of steps that is known
  const isPlanned = adjoint.kind === "checkpoint" || (adjoint.kind === "reversible" && "refresh" in adjoint);
  const { end } = runChain(
    b,
    chainOf(`fixed point of ${cell.name}`, at, problem, !isPlanned),
    {
      start: startOf(b, at(problem.distinct), start, problem),
      shared: {
        given: problem.distinct,
        first: adjoint.kind === "reversible" ? stopGradient(b, start) : null,
      },
      ...{ rows: null, steps: stop.maxSteps },
    },
    // what is lost is the rounding of f, whatever type the state has
    { adjoint, lostFrom: gradientLimit[z0.dtype as FloatDType] },
  );
  const residual = residualOf(b, stop, stopGradient(b, end.z), stopGradient(b, end.fz));
  return { z: end.z, residual, steps: end.steps };
}
