import type { AdjointSpec } from "../chains/adjoints.js";
import type { Method } from "../methods/method.js";
import { methodNamed } from "../methods/named.js";
import type { SdeKind, SdeMethod } from "../methods/sde-method.js";
import { sdeMethodFor } from "../methods/sde-named.js";
import type { TaskProtocol } from "./task-experiment.js";

type Solver = Pick<TaskProtocol, "solver" | "coupling">;

/** The solver of a protocol, for ordinary differential equations. */
export function methodOf({ solver, coupling }: Solver): Method {
  return methodNamed(solver, coupling === null ? {} : { coupling });
}

/**
 * What a protocol says of the solver, for stochastic equations of a kind.
 *
 * @param of  what has the equations
 * @throws {CalculusError | UnknownSolverError} naming the solvers that they take
 */
export function sdeSolverOf(
  { solver, coupling, gradient }: Solver & Pick<TaskProtocol, "gradient">,
  kind: SdeKind,
  of: string,
): { readonly method: SdeMethod; readonly gradient: AdjointSpec | "auto" } {
  const method = sdeMethodFor(solver, kind, of, coupling === null ? {} : { coupling });
  // what a chain of steps cannot have (the continuous adjoint) is refused by the solve
  return { method, gradient: gradient as AdjointSpec | "auto" };
}
