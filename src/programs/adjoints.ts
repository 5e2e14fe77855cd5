import type { ChainAdjoint } from "../chains/adjoint.js";
import {
  type ChainAdjointName,
  type ChainMethod,
  chainAdjoints,
  type ScheduledAdjointName,
} from "../chains/adjoints.js";
import { adjointAmong } from "../chains/syntax.js";
import { continuousAdjoint } from "./backward-continuous.js";
import type { GradientMethod, SolveAdjoint } from "./solve-adjoint.js";
import { solveAdjoint } from "./solver-chain.js";

/** The ways to differentiate a solve: those of any chain, and the one that knows of the equation. */
export const solveAdjoints: readonly SolveAdjoint[] = [
  ...chainAdjoints.map((adjoint: ChainAdjoint<ChainMethod>) => solveAdjoint(adjoint)),
  continuousAdjoint,
];

/** The names of the adjoints of solves. */
export type GraphGradient = ChainAdjointName | typeof continuousAdjoint.name;
/** Those that go by a schedule of stored states: between them, steps are taken again, or undone. */
export type ScheduledGradient = ScheduledAdjointName;
/** Those that are exact and take no schedule. */
export type ExactGraphGradient = Exclude<ChainAdjointName, ScheduledGradient>;

/** The adjoint of a name. */
export function adjointNamed(name: GraphGradient): SolveAdjoint {
  return solveAdjoints.find((adjoint) => adjoint.name === name)!;
}

/** The adjoint that a method asks for. @throws {GradientMethodError} */
export function adjointFor(method: GradientMethod): SolveAdjoint {
  return adjointAmong(solveAdjoints, method);
}
