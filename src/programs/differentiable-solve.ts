import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { adjointNamed, type GraphGradient } from "./adjoints.js";
import type { Setting } from "./inputs.js";
import type { BackwardInputs, SolveCotangents, SolveForward } from "./solve-adjoint.js";

/** A solve, and the function that pulls cotangents of the saved states back through it. */
export interface DifferentiableSolve extends SolveForward {
  readonly pull: (cotangent: Value) => SolveCotangents;
}

/**
 * A solve that can be differentiated, by any method.
 *
 * @throws {GradientMethodError} if the method of the setting cannot be differentiated this way
 */
export function differentiableSolve(
  b: Builder,
  gradient: GraphGradient,
  setting: Setting,
  inputs: BackwardInputs,
): DifferentiableSolve {
  const adjoint = adjointNamed(gradient);
  const solved = adjoint.solve(b, setting, inputs);
  return { ...solved, pull: (cotangent) => adjoint.pull(b, setting, inputs, solved, cotangent) };
}
