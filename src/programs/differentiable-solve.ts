import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { continuousAdjoint } from "./backward-continuous.js";
import type { BackwardInputs, SolveAdjoint, SolveCotangents, SolveForward } from "./backward-step.js";
import { checkpointAdjoint } from "./checkpoint-gradient.js";
import { directAdjoint, type GraphGradient, reversibleAdjoint } from "./gradient.js";
import type { Setting } from "./inputs.js";
import { refreshAdjoint } from "./refresh-gradient.js";

/** The ways to differentiate a solve. Those that go by a schedule of stored states take it among their inputs. */
const adjoints: Readonly<Record<GraphGradient, SolveAdjoint>> = {
  reversible: reversibleAdjoint,
  direct: directAdjoint,
  continuous: continuousAdjoint,
  checkpoint: checkpointAdjoint as SolveAdjoint,
  refresh: refreshAdjoint as SolveAdjoint,
};

/** The way to differentiate a solve that a gradient names. */
export function adjointOf(gradient: GraphGradient): SolveAdjoint {
  return adjoints[gradient];
}

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
  const adjoint = adjointOf(gradient);
  const solved = adjoint.solve(b, setting, inputs);
  return { ...solved, pull: (cotangent) => adjoint.pull(b, setting, inputs, solved, cotangent) };
}
